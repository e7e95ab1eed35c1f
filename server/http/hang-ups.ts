/** Logs callers that hang up before their answer: one line a minute, because every caller can cause them. */
import type { Logger, Now } from "../ports/runtime.ts"

const quietSeconds = 60

/** Returns a function that notes one hang-up. Each line has the number of those since the last line. */
export function createHangUps(log: Logger, now: Now): () => void {
  let requests = 0
  let loggedAt = Number.NEGATIVE_INFINITY
  return () => {
    requests += 1
    if (now() < loggedAt + quietSeconds) return
    log.info({ requests }, "callers hung up before their answer")
    requests = 0
    loggedAt = now()
  }
}
