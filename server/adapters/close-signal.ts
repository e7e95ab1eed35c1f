/** Tells when nobody waits for an answer any more. */
import type { ServerResponse } from "node:http"

/** Aborts when the response is finished or its connection has ended. */
export function closeSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController()
  res.once("close", () => gone.abort())
  return gone.signal
}
