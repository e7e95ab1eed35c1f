/** Does the steps of a call: requests, reads, refreshes and buys, and reports each outcome. */
import type { CallState, Outcome, Step } from "../core/call-state.ts"
import { type Challenge, scopesOf } from "../core/challenge.ts"
import { Ticket402Error } from "../core/errors.ts"
import type { ClientEvent } from "../core/events.ts"
import { covers } from "../core/grant-rules.ts"
import { isWithin, parseUrl } from "../core/origins.ts"
import { waitFor } from "../core/waiting.ts"
import type { OfferReader, Offers } from "../purchase/offers.ts"
import type { PayForCall } from "../purchase/pay-per-call.ts"
import type { Purchases } from "../purchase/purchase.ts"
import type { RequestFreeGrant } from "../purchase/wallet-proof.ts"
import type { Refresh } from "../wallet/refresh.ts"
import type { Renewals } from "../wallet/renewal.ts"
import { type ClientStore, type Grant, keyOf } from "../wallet/store.ts"
import type { Wallet } from "../wallet/wallet.ts"
import { discard } from "../wire/bodies.ts"
import { secondsAhead } from "../wire/clock.ts"
import type { Provers } from "../wire/dpop.ts"
import { isPlain, type PlainChallenge } from "../wire/plain-x402.ts"
import { type FollowRedirect, isIdempotent, type RepeatableRequest, send } from "../wire/request.ts"

export type CallStepDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly now: () => number
  readonly delay: (seconds: number) => Promise<void>
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly provers: Provers
  readonly offerReader: OfferReader
  readonly purchases: Purchases
  readonly payForCall: PayForCall
  readonly refresh: Refresh
  readonly renewals: Renewals
  /** Absent for an account that no seller has whitelisted. */
  readonly requestFreeGrant: RequestFreeGrant | undefined
  readonly emit: (event: ClientEvent) => void
}

/** One call under way. */
export type Call = {
  /** The present hop of a redirect chain: a repetition never starts the chain anew (CLI-17). */
  request: RepeatableRequest
  grant: Grant | undefined
  response?: Response
  /** Of the last 402. */
  challenge?: Challenge | PlainChallenge
  /** The same, at a place that may be paid. */
  offers?: Offers
  /** The error of the last purchase. */
  error?: unknown
  /** How far the issue time of a refused token is ahead of the gate's clock. */
  secondsAhead: number
  readonly followRedirect: FollowRedirect
  readonly expectedCalls: number
  /** When the call began, on the counter of {@link Purchases.tick}. */
  readonly since: number
  /** Keys of the grants that a 402 of this call refused. */
  readonly unsuitable: Set<string>
}

type StepWork = (call: Call, deps: CallStepDeps, state: CallState) => Promise<Outcome>

export const callSteps: { readonly [step in Exclude<Step, "return" | "refuse">]: StepWork } = {
  async send(call, deps) {
    const { request, grant } = call
    if (call.response) discard(call.response)
    if (grant) deps.renewals.renewAging(grant)
    const credential = grant && { accessToken: grant.accessToken, prover: deps.provers(grant.proofKey) }
    return receive(call, await send(deps.fetch, request, credential), deps)
  },

  async readOffers(call, { offerReader, emit }) {
    const { url } = call.request
    const challenge = await offerReader.readChallenge(present(call.response), url)
    if (!challenge) {
      emit({ type: "ignored", origin: url.origin })
      return { kind: "answered" }
    }
    call.challenge = challenge
    const isOfGrant = parseUrl(challenge.info.resource)?.href === call.grant?.resource
    return {
      kind: "offered",
      sells: isPlain(challenge) ? "call" : "token",
      rejectsToken: isOfGrant && !challenge.insufficientGrant,
    }
  },

  async reread(call, deps) {
    const grant = present(call.grant)
    const current = await deps.wallet.current(grant)
    return current?.accessToken === grant.accessToken ? { kind: "unchanged" } : use(call, current, deps)
  },

  async wait(call, deps) {
    await waitFor(deps.delay(Math.ceil(call.secondsAhead) + 1), call.request.signal)
    return use(call, call.grant, deps)
  },

  async refresh(call, deps) {
    return use(call, await waitFor(deps.refresh(present(call.grant)), call.request.signal), deps)
  },

  async find(call, deps) {
    call.offers = enter(call, deps)
    if (call.grant) await leaveGrant(call, call.grant, call.offers, deps)
    const found = await deps.offerReader.findGrant(call.offers, call.unsuitable)
    if (found) return use(call, found, deps)
    deps.renewals.throwRefused(call.offers.place.resource.href)
    return { kind: "missing" }
  },

  async prove(call, deps) {
    const { challenge, place } = present(call.offers)
    const grant = await waitFor(present(deps.requestFreeGrant)(challenge, place), call.request.signal)
    return grant ? use(call, grant, deps) : { kind: "missing" }
  },

  async buy(call, { offerReader, purchases, renewals }, { isSecondAttempt }) {
    const offers = present(call.offers)
    const choice = await offerReader.chooseOffer(offers, call.expectedCalls)
    const order = {
      ...offers,
      choice,
      since: call.since,
      attempt: isSecondAttempt ? 2 : 1,
      findArrived: () => offerReader.findGrant(offers, call.unsuitable),
    } as const
    try {
      const { grant, isNew } = await waitFor(() => purchases.buy(order), call.request.signal)
      call.grant = grant
      return { kind: "bought", isNew, token: renewals.ageOf(grant) }
    } catch (error) {
      if (!isCorrectable(error)) throw error
      call.error = error
      call.grant = undefined
      return { kind: "offers_changed" }
    }
  },

  async payForCall(call, deps) {
    const { request, challenge } = call
    const offers = enter(call, deps)
    const plain = present(challenge && isPlain(challenge) ? challenge : undefined)
    const choose = () => deps.offerReader.chooseOffer(offers, call.expectedCalls)
    const order = { request, offers, challenge: plain, choose }
    const response = await waitFor(() => deps.payForCall(order), request.signal)
    discard(offers.response)
    call.grant = undefined
    return receive(call, response, deps)
  },

  async recordRefusal(call, deps) {
    const grant = present(call.grant)
    await recordRefusal(grant, deps)
    const { origin } = call.request.url
    const { secondsAhead } = call
    const clock = secondsAhead > 0 && { clockBehindSeconds: Math.ceil(secondsAhead) }
    deps.emit({ type: "not_accepted", origin, grant: grant.id, ...clock })
    return { kind: "answered" }
  },
}

/** Looks no more at a grant that the 402 refused; records the refusal if the grant should have been accepted. */
async function leaveGrant(
  call: Call,
  grant: Grant,
  { challenge }: Offers,
  deps: CallStepDeps,
): Promise<void> {
  call.unsuitable.add(keyOf(grant))
  deps.wallet.noteUnsuited(call.request, grant)
  if (covers(grant.scope, scopesOf(challenge))) await recordRefusal(grant, deps)
}

async function recordRefusal(grant: Grant, { store, now }: CallStepDeps): Promise<void> {
  // A grant that cost nothing is a reason to ask again, and none to refuse a payment.
  if (grant.network !== "") await store.recordRefusal(new URL(grant.resource).origin, now(), grant)
}

/** Takes over an answer of the gate, or of the handler behind it. */
async function receive(call: Call, response: Response, deps: CallStepDeps): Promise<Outcome> {
  call.response = response
  const target = call.followRedirect(call.request, response)
  if (target) {
    const { grant } = call
    call.request = target
    if (!grant || !isWithin(new URL(grant.resource), target.url))
      call.grant = (await deps.wallet.grantsFor(target))[0]
    return { kind: "redirected", token: deps.renewals.ageOf(call.grant) }
  }
  if (call.grant?.openedAt === undefined && call.grant && response.status < 400)
    await deps.store.recordAccess(call.request.url.origin, deps.now(), call.grant)
  if (response.status === 401) return unauthorized(call, response)
  return { kind: response.status === 402 ? "payment_required" : "answered" }
}

function unauthorized(call: Call, response: Response): Outcome {
  const { grant, request } = call
  call.secondsAhead = grant ? secondsAhead(grant.accessToken, response) : 0
  const isRepeatable = isIdempotent(request)
  return {
    kind: "unauthorized",
    byGate: isByGate(response),
    isRepeatable,
    secondsAhead: call.secondsAhead,
  }
}

function use(call: Call, grant: Grant | undefined, { renewals }: CallStepDeps): Outcome {
  call.grant = grant
  return grant ? { kind: "granted", token: renewals.ageOf(grant) } : { kind: "ended" }
}

function enter(call: Call, { offerReader }: CallStepDeps): Offers {
  return offerReader.requirePayable(present(call.challenge), call.request.url, present(call.response))
}

const isByGate = ({ headers }: Response): boolean =>
  /\berror="invalid_token"/.test(headers.get("www-authenticate") ?? "")

const isCorrectable = (error: unknown): boolean =>
  error instanceof Ticket402Error &&
  (error.code === "purchase_refused" || error.code === "price_expired") &&
  (error.action === "fix" || error.action === "buy")

/** A step that comes out of order is a defect of call-state.ts. */
function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a step of a call came out of order")
  return value
}
