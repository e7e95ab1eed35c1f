/** Checks the invariants of the books that need no chain. */
import { type Broken, judgeDoubles, judgeExposure, judgeRow } from "../core/invariants.ts"
import type { Store } from "../ports/store.ts"

/** Grants in one read, so that sales go on between two. */
const pageSize = 500

/** Returns the broken invariants. `grants` limits the number of settled grants that are read; default: all. */
export async function auditBooks(
  store: Pick<Store, "books" | "exposure" | "doubles">,
  { grants = Number.POSITIVE_INFINITY }: { readonly grants?: number } = {},
): Promise<readonly Broken[]> {
  const [exposure, doubles] = await Promise.all([store.exposure(), store.doubles()])
  const broken = [
    ...judgeExposure(exposure),
    ...judgeDoubles(doubles),
    ...exposure.open.flatMap((row) => judgeRow(row)),
  ]
  const known = new Set(exposure.open.map(({ redemption }) => redemption?.key))
  let after = ""
  for (let left = grants; left > 0; left -= pageSize) {
    const page = await store.books({ after, limit: pageSize })
    broken.push(
      ...page.filter(({ redemption }) => !known.has(redemption?.key)).flatMap((row) => judgeRow(row)),
    )
    const last = page.at(-1)
    if (!last || page.length < pageSize) break
    after = last.grant.id
  }
  return broken
}

/** The books contradict themselves: selling on would make it worse. */
export class BrokenBooks extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join("\n"))
    this.name = "BrokenBooks"
    this.problems = problems
  }
}
