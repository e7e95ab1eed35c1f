/** Reads the offers of a 402, checks the place that sells them, and chooses one within the payer's rules. */
import { type Balances, fundsOf } from "../core/balances.ts"
import { type Challenge, scopesOf } from "../core/challenge.ts"
import { chooseBest } from "../core/economics.ts"
import { PolicyRefusal } from "../core/errors.ts"
import { covers } from "../core/grant-rules.ts"
import {
  insecure,
  isPrivateEnough,
  isTokenEndpoint,
  type Place,
  type PlaceRules,
  resourceOf,
  tokenEndpointOf,
} from "../core/origins.ts"
import { type Choice, type Policy, type Rules, requireAcceptable } from "../core/policy.ts"
import { type ClientStore, type Grant, keyOf } from "../wallet/store.ts"
import type { Wallet } from "../wallet/wallet.ts"
import { type PlainChallenge, readPlain } from "../wire/plain-x402.ts"
import { readBodyChallenge, readChallenge } from "../wire/read-challenge.ts"
import type { Budget } from "./budget.ts"

/** The offers of one 402, at a place that may be paid. */
export type Offers = {
  readonly challenge: Challenge
  readonly place: Place
  readonly asked: URL
  /** The 402 itself: its body may hold more entries than its header. */
  readonly response: Response
}

export type OfferReader = {
  /** The challenge in the 402 of `asked`; undefined where this client can buy nothing, or `asked` is the token endpoint. */
  readChallenge(response: Response, asked: URL): Promise<Challenge | PlainChallenge | undefined>
  /** Throws a {@link PolicyRefusal} for a place that may not be paid. */
  requirePayable(challenge: Challenge, asked: URL, response: Response): Offers
  /** A grant in the wallet that covers one of the offers; it becomes the most recently used one. */
  findGrant(offers: Offers, except: ReadonlySet<string>): Promise<Grant | undefined>
  /** The best offer; throws the refusal of the entry that passed most rules. */
  chooseOffer(offers: Offers, expectedCalls: number, rules?: Policy): Promise<Choice>
}

export type OfferReaderDeps = {
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly budget: Budget
  readonly policy: Policy
  readonly places: PlaceRules
  readonly balances: Balances | undefined
  /** Whether plain x402 servers are paid too. */
  readonly payPerCall: boolean
  /** For reading one 402. */
  readonly timeoutMs: number
}

export function createOfferReader(deps: OfferReaderDeps): OfferReader {
  const { store, wallet, budget, policy, places, timeoutMs } = deps

  return {
    async readChallenge(response, asked) {
      requireSameOrigin(response, asked)
      const ours = await readChallenge(response, timeoutMs)
      if (ours) return isTokenEndpoint(ours.info.tokenEndpoint, asked) ? undefined : ours
      return deps.payPerCall ? readPlain(response, asked, timeoutMs) : undefined
    },

    requirePayable(challenge, asked, response) {
      return { challenge, place: requirePlace(challenge, asked, policy, places), asked, response }
    },

    async findGrant({ challenge, place, asked }, except) {
      const offered = scopesOf(challenge)
      const held = (await wallet.grantsFor({ url: asked })).find(
        (grant) =>
          !except.has(keyOf(grant)) && grant.resource === place.resource.href && covers(grant.scope, offered),
      )
      if (held) await store.prefer(held)
      return held
    },

    async chooseOffer(offers, expectedCalls, rules = policy) {
      const { origin } = offers.place.resource
      const { recipients } = await budget.sumSpending({ origin, offer: "" })
      const entries = await readAcceptable(offers, { ...rules, recipients }, timeoutMs)
      const funds = await fundsOf(entries, policy.payer, deps.balances)
      return chooseBest(entries, { expectedCalls, cost: offers.challenge.info.cost ?? 1, funds })
    },
  }
}

function requirePlace({ info }: Challenge, asked: URL, policy: Policy, places: PlaceRules): Place {
  if (!isPrivateEnough(asked, places.allowInsecureHttp)) throw insecure(asked)
  if (policy.origins && !policy.origins.has(asked.origin))
    throw new PolicyRefusal("origin_not_allowed", "Nothing is bought at this origin.", {
      action: "stop",
      found: asked.origin,
      wanted: [...policy.origins].join(" or "),
    })
  return {
    resource: resourceOf(info.resource, asked),
    resourceText: info.resource,
    tokenEndpoint: tokenEndpointOf(info.tokenEndpoint, asked, places),
  }
}

async function readAcceptable({ challenge, response }: Offers, rules: Rules, timeoutMs: number) {
  try {
    return requireAcceptable(challenge, rules)
  } catch (error) {
    // The header may hold fewer entries than the body. The place is the header's in any case.
    const whole = await readBodyChallenge(response, timeoutMs).catch(() => undefined)
    if (!whole || whole.accepts.length <= challenge.accepts.length) throw error
    const info = { ...challenge.info, offers: whole.info.offers }
    return requireAcceptable({ ...challenge, accepts: whole.accepts, info }, rules)
  }
}

/** A fetch that ignores `redirect: "manual"` may bring the 402 of another origin (CLI-06). */
function requireSameOrigin(response: Response, asked: URL): void {
  if (response.url === "" || new URL(response.url).origin === asked.origin) return
  throw new PolicyRefusal("foreign_challenge", "The 402 comes from another origin than the one asked.", {
    found: new URL(response.url).origin,
    wanted: asked.origin,
  })
}
