/** A sale: what a 402 offers at a place that passed the rules, and what of it would be bought. */
import { type Balances, fundsOf } from "../core/balances.ts"
import { type Challenge, scopesOf } from "../core/challenge.ts"
import { best } from "../core/economics.ts"
import { PolicyRefusal } from "../core/errors.ts"
import {
  insecure,
  isPrivateEnough,
  isTokenEndpoint,
  type Place,
  type PlaceRules,
  resourceOf,
  tokenEndpointOf,
} from "../core/origins.ts"
import { acceptable, type Choice, type Policy } from "../core/policy.ts"
import { type ClientStore, type Grant, keyOf } from "../wallet/store.ts"
import { covers, type Wallet } from "../wallet/wallet.ts"
import { type PlainChallenge, readPlain } from "../wire/plain-x402.ts"
import { readBodyChallenge, readChallenge } from "../wire/read-challenge.ts"
import type { Budget } from "./budget.ts"

export type Sale = {
  readonly challenge: Challenge
  readonly place: Place
  readonly asked: URL
  /** The 402 itself: its body may hold more entries than its header. */
  readonly response: Response
}

export type Sales = ReturnType<typeof createSales>

export function createSales(deps: {
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
}) {
  const { store, wallet, budget, policy, places, timeoutMs } = deps

  return {
    /** What the 402 of `asked` sells; undefined when that is nothing this client can buy, or the token itself. */
    async read(response: Response, asked: URL): Promise<Challenge | PlainChallenge | undefined> {
      refuseForeign(response, asked)
      const ours = await readChallenge(response, timeoutMs)
      if (ours) return isTokenEndpoint(ours.info.tokenEndpoint, asked) ? undefined : ours
      return deps.payPerCall ? readPlain(response, asked, timeoutMs) : undefined
    },

    /** Throws a {@link PolicyRefusal} for a place where nothing is bought. */
    enter(challenge: Challenge, asked: URL, response: Response): Sale {
      const { info } = challenge
      if (!isPrivateEnough(asked, places.allowInsecureHttp)) throw insecure(asked)
      if (policy.origins && !policy.origins.has(asked.origin))
        throw new PolicyRefusal("origin_not_allowed", "Nothing is bought at this origin.", {
          action: "stop",
          found: asked.origin,
          wanted: [...policy.origins].join(" or "),
        })
      const place = {
        resource: resourceOf(info.resource, asked),
        resourceText: info.resource,
        tokenEndpoint: tokenEndpointOf(info.tokenEndpoint, asked, places),
      }
      return { challenge, place, asked, response }
    },

    /** A grant in the wallet that covers what is on sale, put in front. */
    async held({ challenge, place, asked }: Sale, except: ReadonlySet<string>): Promise<Grant | undefined> {
      const offered = scopesOf(challenge)
      const held = (await wallet.grantsFor(asked)).find(
        (grant) =>
          !except.has(keyOf(grant)) && grant.resource === place.resource.href && covers(grant.scope, offered),
      )
      if (held) await store.prefer(held)
      return held
    },

    /** What would be bought; throws for the entry that came furthest. */
    async choose(sale: Sale, expectedCalls: number, rules: Policy = policy): Promise<Choice> {
      const { origin } = sale.place.resource
      const { recipients } = await budget.counted({ origin, offer: "" })
      const entries = await passing(sale, { ...rules, recipients })
      const funds = await fundsOf(entries, policy.payer, deps.balances)
      return best(entries, { expectedCalls, cost: sale.challenge.info.cost ?? 1, funds })
    },
  }

  async function passing({ challenge, response }: Sale, rules: Parameters<typeof acceptable>[1]) {
    try {
      return acceptable(challenge, rules)
    } catch (error) {
      // The header may hold fewer entries than the body (wire.md §1). The place is the header's in any case.
      const whole = await readBodyChallenge(response, timeoutMs).catch(() => undefined)
      if (!whole || whole.accepts.length <= challenge.accepts.length) throw error
      return acceptable(
        { ...challenge, accepts: whole.accepts, info: { ...challenge.info, offers: whole.info.offers } },
        rules,
      )
    }
  }
}

/** A fetch that follows redirects on its own may bring the 402 of another origin (CLI-06). */
function refuseForeign(response: Response, asked: URL): void {
  if (response.url === "" || new URL(response.url).origin === asked.origin) return
  throw new PolicyRefusal("foreign_challenge", "The 402 comes from another origin than the one asked.", {
    found: new URL(response.url).origin,
    wanted: asked.origin,
  })
}
