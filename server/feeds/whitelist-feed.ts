/** Who is let in without paying, as this process knows it: the store's list, read again when it changes. */
import { memberOf, standsFor, type WhitelistEntry } from "../core/whitelist.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { createFeed, type Feed } from "./feed.ts"

export type Whitelist = Feed & {
  /**
   * The entry that stands behind what was issued to the subject (a CAIP-10 account or a client id) at that time; none for
   * what is older than the entry, so that nothing revives when a removed one comes back.
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
