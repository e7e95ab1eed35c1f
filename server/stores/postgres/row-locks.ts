/** Which verbs run beside others, and the rows that keep them apart. */
import { grantQueries } from "../records/grants.ts"
import { ledgerQueries } from "../records/ledger.ts"
import { memberQueries } from "../records/whitelist.ts"
import { unitQueries } from "../verbs/units.ts"
import type { Verb } from "../verbs/verbs.ts"

/**
 * Verbs that decide by one grant, or by a unique key, and change nothing else. All others take turns: they read sums, or
 * look for rows that another transaction may be about to insert, which no lock on a row prevents. A new verb takes turns
 * until it is listed here.
 */
const besideOthers: ReadonlySet<Verb> = new Set<Verb>([
  "issue",
  "rotate",
  "derive",
  "takeUnits",
  "reportUnits",
  "creditUnits",
  "revoke",
  "useOnce",
])

export const takesTurns = (verb: Verb): boolean => !besideOthers.has(verb)

/**
 * Rows that a verb reads to change them, or to rely on them until it commits. They stay locked until then, in the verbs
 * that take turns too.
 */
export const lockedReads: ReadonlySet<string> = new Set([
  grantQueries.byId,
  ledgerQueries.livingGrantsOf,
  memberQueries.byId,
  unitQueries.slice,
])
