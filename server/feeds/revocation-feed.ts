/** Keeps the revocations that this process knows, and reads newer ones from the store every second. */
import {
  createRevocationSet,
  type RevocationSet,
  revocationSlackSeconds,
} from "../../shared/oauth/revocation.ts"
import type { NumberedRevocation } from "../ports/records.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { createFeed, type Feed } from "./feed.ts"

export type Revocations = Feed &
  Pick<RevocationSet, "reasonFor"> & {
    /** Returns the revocations after the cursor that may still concern a token, oldest first. */
    after(cursor: number, limit: number): readonly NumberedRevocation[]
    /** Of the books that the list was read from. */
    generation(): string
  }

/** Read from the store at once. */
const pageSize = 1000

export function createRevocations(deps: { store: Store; now: Now; log: Logger }): Revocations {
  const set = createRevocationSet()
  let known: readonly NumberedRevocation[] = []
  let cursor = 0
  let generation = ""

  async function read(startedAt: number): Promise<void> {
    const found = await deps.store.generation()
    const isSame = found === generation
    let list = isSame ? known : []
    let from = isSame ? cursor : 0
    for (;;) {
      const page = await deps.store.revocations({ cursor: from, limit: pageSize, now: startedAt })
      set.add(page.map(({ revocation }) => revocation))
      list = [...list, ...page]
      from = page.at(-1)?.sequence ?? from
      if (page.length < pageSize) break
    }
    set.forget(startedAt)
    // Exchanged at once: a reader of the new generation must not take the beginning of the list for all of it.
    known = list.filter(({ revocation }) => revocation.expiresAt + revocationSlackSeconds >= startedAt)
    cursor = from
    generation = found
  }

  return {
    ...createFeed(deps, { name: "revocations", read }),
    reasonFor: set.reasonFor,
    generation: () => generation,
    after(wanted, limit) {
      // A regular reader asks for the end of the list.
      const from = known.findLastIndex(({ sequence }) => sequence <= wanted) + 1
      return known.slice(from, from + limit)
    },
  }
}
