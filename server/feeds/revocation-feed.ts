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
  }

/** Read from the store at once. */
const pageSize = 1000

export function createRevocations(deps: { store: Store; now: Now; log: Logger }): Revocations {
  const set = createRevocationSet()
  let known: readonly NumberedRevocation[] = []
  let cursor = 0

  async function read(startedAt: number): Promise<void> {
    for (;;) {
      const page = await deps.store.revocations({ cursor, limit: pageSize, now: startedAt })
      set.add(page.map(({ revocation }) => revocation))
      if (page.length > 0) known = [...known, ...page]
      cursor = page.at(-1)?.sequence ?? cursor
      if (page.length < pageSize) break
    }
    set.forget(startedAt)
    const isOver = ({ revocation }: NumberedRevocation) =>
      revocation.expiresAt + revocationSlackSeconds < startedAt
    if (known.some(isOver)) known = known.filter((each) => !isOver(each))
  }

  return {
    ...createFeed(deps, { name: "revocations", read }),
    reasonFor: set.reasonFor,
    after(wanted, limit) {
      // A regular reader asks for the end of the list.
      const from = known.findLastIndex(({ sequence }) => sequence <= wanted) + 1
      return known.slice(from, from + limit)
    },
  }
}
