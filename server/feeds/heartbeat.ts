/** Records every second that this instance runs, and removes the record when it stops. */
import type { Logger, Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { createFeed } from "./feed.ts"

export type Heartbeat = {
  /** Resolves after the first beat: from then on other instances know of this one. */
  start(): Promise<void>
  stop(): Promise<void>
}

export function createHeartbeat(
  {
    store,
    now,
    log,
  }: { readonly store: Pick<Store, "beat" | "leave">; readonly now: Now; readonly log: Logger },
  id: string,
): Heartbeat {
  const feed = createFeed({ now, log }, { name: "the heartbeat", read: () => store.beat({ id, now: now() }) })
  return {
    async start() {
      await feed.refresh()
      feed.start()
    },
    async stop() {
      await feed.stop()
      await store
        .leave({ id })
        .catch((error: unknown) => log.warn({ err: error }, "the instance could not be signed off"))
    },
  }
}
