/** Grants that ended before their tokens did, as the gate knows them: read from the ledger, by a cursor, every second. */
import type { GrantEnd } from "./core/grant.ts"
import { createFeed, type Feed } from "./feed.ts"
import type { Logger, Now, Store } from "./ports.ts"

export type Revocations = Feed & {
  /** Why the grant's tokens are refused, or undefined while they are good. */
  reasonFor(grantId: string): GrantEnd | undefined
}

export function createRevocations(deps: { store: Store; now: Now; log: Logger }): Revocations {
  const ended = new Map<string, { reason: GrantEnd; expiresAt: number }>()
  let cursor = 0

  async function read(startedAt: number): Promise<void> {
    const news = await deps.store.endedGrants({ cursor, now: startedAt })
    for (const grant of news.ended)
      ended.set(grant.grantId, { reason: grant.reason, expiresAt: grant.expiresAt })
    cursor = news.cursor
    // An entry dies with the last token it could concern, so the set cannot grow without bound.
    for (const [id, entry] of ended) if (entry.expiresAt + 60 < startedAt) ended.delete(id)
  }

  return {
    ...createFeed(deps, { name: "revocations", read }),
    reasonFor: (grantId) => ended.get(grantId)?.reason,
  }
}
