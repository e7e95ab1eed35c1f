/** Does the steps of a call: requests, reads, refreshes and buys, and reports each outcome. */
import type { CallState, Outcome, Step } from "../core/call-state.ts"
import { scopesOf } from "../core/challenge.ts"
import { Ticket402Error } from "../core/errors.ts"
import { covers } from "../core/grant-rules.ts"
import { parseUrl } from "../core/origins.ts"
import { waitFor } from "../core/waiting.ts"
import type { Offers } from "../purchase/offers.ts"
import { type Grant, keyOf } from "../wallet/store.ts"
import { discard } from "../wire/bodies.ts"
import { isPlain } from "../wire/plain-x402.ts"
import { hasLogin, send } from "../wire/request.ts"
import { type Call, type CallStepDeps, present, use } from "./call.ts"
import { receive } from "./receive-answer.ts"

type StepWork = (call: Call, deps: CallStepDeps, state: CallState) => Promise<Outcome>

export const callSteps: { readonly [step in Exclude<Step, "return" | "refuse">]: StepWork } = {
  async send(call, deps) {
    const { request, grant } = call
    if (call.response) discard(call.response)
    if (grant) deps.renewals.renewAging(grant)
    call.shownIn = deps.wallet.tokenHeaderAt(request.url)
    // The login of the caller at the API is not overwritten.
    const hasRoom = call.shownIn !== undefined || !hasLogin(request)
    const credential = grant &&
      hasRoom && {
        accessToken: grant.accessToken,
        prover: deps.provers(grant.proofKey),
        tokenHeader: call.shownIn,
      }
    return receive(call, await send(deps.fetch, request, credential || undefined), deps)
  },

  async readOffers(call, deps) {
    const { offerReader, emit, wallet } = deps
    const { url } = call.request
    const challenge = await offerReader.readChallenge(present(call.response), url)
    const tokenHeader = challenge?.info.tokenHeader
    // Without room for a token, the 402 is the caller's.
    if (!challenge || (hasLogin(call.request) && !tokenHeader)) {
      emit({ type: "ignored", origin: url.origin })
      return { kind: "answered" }
    }
    call.challenge = challenge
    if (!isPlain(challenge)) wallet.noteTokenHeader(url, tokenHeader)
    if (call.grant && !isPlain(challenge) && call.shownIn !== tokenHeader && !call.isMoved) {
      call.isMoved = true
      return use(call, call.grant, deps)
    }
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

function enter(call: Call, { offerReader }: CallStepDeps): Offers {
  return offerReader.requirePayable(present(call.challenge), call.request.url, present(call.response))
}

const isCorrectable = (error: unknown): boolean =>
  error instanceof Ticket402Error &&
  (error.code === "purchase_refused" || error.code === "price_expired") &&
  (error.action === "fix" || error.action === "buy")
