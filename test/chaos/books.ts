/** What is wrong with a service's books at the end, as entries of the table. */
import type { Findings } from "../support/invariants.ts"
import type { Tally } from "./table.ts"

export function noteBooks(tally: Tally, findings: Findings): void {
  const { broken, open, settledTwice, owed, received } = findings
  for (const line of broken) tally.flaw({ kind: "wrongVerdicts", line })
  if (open > 0) tally.flaw({ kind: "stuckJobs", line: `${open} rows without an end` })
  if (settledTwice > 0) tally.flaw({ kind: "doubleEffects", line: `${settledTwice} settled twice` })
  tally.difference(owed - received)
}
