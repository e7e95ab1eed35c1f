/** Takes over an answer of the gate, or of the handler behind it. */
import type { Outcome } from "../core/call-state.ts"
import { isWithin } from "../core/origins.ts"
import { secondsAhead } from "../wire/clock.ts"
import { isIdempotent } from "../wire/request.ts"
import type { Call, CallStepDeps } from "./call.ts"

export async function receive(call: Call, response: Response, deps: CallStepDeps): Promise<Outcome> {
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

const isByGate = ({ headers }: Response): boolean =>
  /\berror="invalid_token"/.test(headers.get("www-authenticate") ?? "")
