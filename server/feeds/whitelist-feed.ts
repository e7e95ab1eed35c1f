/** Keeps the whitelist that this process knows, and reads it again from the store when it changes. */
import { memberOf, standsFor, type WhitelistEntry } from "../core/whitelist.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { createFeed, type Feed } from "./feed.ts"

export type Whitelist = Feed & {
  /**
   * Finds the entry behind a token that was issued to the subject (a CAIP-10 account or a client id) at that time. Tokens
   * older than the entry have none, so that no token revives when a removed entry returns.
   */
  find(subject: string, issuedAt: number): WhitelistEntry | undefined
}

export function createWhitelist(deps: { store: Store; now: Now; log: Logger }): Whitelist {
  let entries: ReadonlyMap<string, WhitelistEntry> = new Map()
  let version = 0

  async function read(): Promise<void> {
    const snapshot = await deps.store.whitelist({ version })
    if (!snapshot) return
    entries = new Map(snapshot.entries.map((entry) => [entry.id, entry]))
    version = snapshot.version
  }

  return {
    ...createFeed(deps, { name: "the whitelist", read }),
    find(subject, issuedAt) {
      const entry = entries.get(memberOf(subject))
      return standsFor(entry, issuedAt) ? entry : undefined
    },
  }
}
