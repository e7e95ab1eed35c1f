/** `client.fetch`: runs a call from step to step until it returns an answer or refuses. */
import type { Fetch } from "../core/call.ts"
import { advance, beginCall } from "../core/call-state.ts"
import { Ticket402Error } from "../core/errors.ts"
import { discard } from "../wire/bodies.ts"
import { urlOf } from "../wire/global-fetch.ts"
import { createRedirects, hasLogin, type RepeatableRequest, repeatable } from "../wire/request.ts"
import type { Call, CallStepDeps } from "./call.ts"
import { callSteps } from "./call-steps.ts"

export type FetchDeps = CallStepDeps & { readonly expectedCalls: number }

export function createFetch(deps: FetchDeps): Fetch {
  return async (input, init, plans) => {
    const answered = await passOn(input, init, deps)
    if (answered) return answered
    const request = await repeatable(input, init)
    try {
      return await runCall(request, plans?.expectedCalls ?? deps.expectedCalls, deps)
    } catch (error) {
      if (error instanceof Ticket402Error)
        deps.emit({ type: "refused", origin: request.url.origin, code: error.code })
      throw error
    }
  }
}

/**
 * Passes on a call that brings a login of its own, and returns the answer. Undefined for all other calls, and where the
 * gate reads the token from a header of its own.
 */
async function passOn(
  input: string | URL | Request,
  init: RequestInit | undefined,
  { fetch, wallet, offerReader }: FetchDeps,
): Promise<Response | undefined> {
  const isRequest = input instanceof Request
  const headers = new Headers(init?.headers ?? (isRequest ? input.headers : undefined))
  if (!hasLogin({ headers })) return undefined
  const url = urlOf(input)
  if (url && wallet.tokenHeaderAt(url)) return undefined
  const response = await fetch(input, init)
  // A body that was read once cannot be sent again.
  const isSpent = isRequest ? input.body !== null : init?.body instanceof ReadableStream
  if (!url || response.status !== 402 || isSpent) return response
  // An unreadable 402 is the caller's, like every other answer.
  const challenge = await offerReader.readChallenge(response, url).catch(() => undefined)
  if (!challenge?.info.tokenHeader) return response
  wallet.noteTokenHeader(url, challenge.info.tokenHeader)
  discard(response)
  return undefined
}

async function runCall(
  request: RepeatableRequest,
  expectedCalls: number,
  deps: CallStepDeps,
): Promise<Response> {
  const call: Call = {
    request,
    grant: (await deps.wallet.grantsFor(request))[0],
    secondsAhead: 0,
    followRedirect: createRedirects(),
    expectedCalls,
    since: deps.purchases.tick(),
    unsuitable: new Set(),
  }
  const mayProve = deps.requestFreeGrant !== undefined
  let state = beginCall({ token: deps.renewals.ageOf(call.grant), mayProve })
  try {
    while (state.step !== "return" && state.step !== "refuse")
      state = advance(state, await callSteps[state.step](call, deps, state))
    if (state.step === "return" && call.response) return call.response
    throw call.error
  } catch (error) {
    if (call.response) discard(call.response)
    throw error
  }
}
