/** Takes over an answer of the gate, or of the handler behind it. */
import { tokenHeaderParameter } from "../../shared/oauth/challenge.ts"
import type { TokenHeader } from "../../shared/token-header.ts"
import type { Outcome } from "../core/call-state.ts"
import { isWithin } from "../core/origins.ts"
import { secondsAhead } from "../wire/clock.ts"
import { hasLogin, isIdempotent } from "../wire/request.ts"
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
  // A 401 without the gate's word is about the login of the caller, if it has one.
  const isRepeatable = isIdempotent(request) && !hasLogin(request)
  return {
    kind: "unauthorized",
    byGate: isByGate(response, call.shownIn),
    isRepeatable,
    secondsAhead: call.secondsAhead,
  }
}

/** Where the token has a header of its own, the challenge of the gate names it, and that of a login does not. */
function isByGate({ headers }: Response, shownIn: TokenHeader | undefined): boolean {
  const challenge = headers.get("www-authenticate") ?? ""
  const isOurs = shownIn === undefined || challenge.includes(`${tokenHeaderParameter}="${shownIn}"`)
  return isOurs && /\berror="invalid_token"/.test(challenge)
}
