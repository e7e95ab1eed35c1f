/** `client.fetch`: runs a call from step to step until it returns an answer or refuses. */
import type { Fetch } from "../core/call.ts"
import { advance, beginCall } from "../core/call-state.ts"
import { Ticket402Error } from "../core/errors.ts"
import { discard } from "../wire/bodies.ts"
import { createRedirects, type RepeatableRequest, repeatable } from "../wire/request.ts"
import type { Call, CallStepDeps } from "./call.ts"
import { callSteps } from "./call-steps.ts"

export type FetchDeps = CallStepDeps & { readonly expectedCalls: number }

export function createFetch(deps: FetchDeps): Fetch {
  return async (input, init, plans) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    // A caller with credentials of its own wants neither our token nor a payment.
    if (headers.has("authorization")) return deps.fetch(input, init)
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
