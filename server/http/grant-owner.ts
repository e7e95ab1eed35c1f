/** Serves `GET /token/status` and `GET /token/receipt` to the owner of a grant. */
import { idempotencyHeader, secretHeader } from "../../shared/oauth/messages.ts"
import type { Proof } from "../access/grant-lookup.ts"
import type { Rate } from "../ports/runtime.ts"
import { hexHeader } from "./headers.ts"
import { peerKey } from "./rate.ts"
import { json } from "./respond.ts"
import type { Handler } from "./router.ts"

const bearer = /^bearer +(\S{1,8192})$/i

/** `read` throws a Refusal for a proof that does not hold. */
export function createGrantHandler(read: (proof: Proof) => Promise<object>, peers: Rate): Handler {
  return async ({ headers }, caller) => {
    await peers.take(peerKey(caller.peer))
    const body = await read({
      accessToken: bearer.exec(headers.get("authorization") ?? "")?.[1],
      secret: hexHeader(headers, secretHeader),
      idempotencyKey: headers.get(idempotencyHeader) ?? undefined,
    })
    return json(200, body)
  }
}
