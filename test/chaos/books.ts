/** Enters the flaws of a service's books into the table after a run. */
import type { Findings } from "../support/invariants.ts"
import type { Tally } from "./table.ts"

export function noteBooks(tally: Tally, findings: Findings): void {
  const { broken, open, settledTwice, owed, received } = findings
  for (const line of broken) tally.flaw({ kind: "wrongVerdicts", line })
  if (open > 0) tally.flaw({ kind: "stuckJobs", line: `${open} rows without a final state` })
  if (settledTwice > 0) tally.flaw({ kind: "doubleEffects", line: `${settledTwice} settled twice` })
  tally.difference(owed - received)
}
