/** `GET /token/status` over HTTP. */
import { idempotencyHeader, secretHeader } from "../../shared/oauth.ts"
import type { Rate } from "../ports.ts"
import type { createStatus } from "../status.ts"
import { hexHeader } from "./headers.ts"
import { peerKey } from "./rate.ts"
import { json } from "./respond.ts"
import type { Handler } from "./routes.ts"

const bearer = /^bearer +(\S{1,8192})$/i

export function createStatusHandler(status: ReturnType<typeof createStatus>, peers: Rate): Handler {
  return async ({ headers }, caller) => {
    await peers.take(peerKey(caller.peer))
    const body = await status({
      accessToken: bearer.exec(headers.get("authorization") ?? "")?.[1],
      secret: hexHeader(headers, secretHeader),
      idempotencyKey: headers.get(idempotencyHeader) ?? undefined,
    })
    return json(200, body)
  }
}
