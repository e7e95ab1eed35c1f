/** Shows an entry of the ledger as every reader outside gets it. */
import type { LedgerEntry } from "../core/ledger-facts.ts"

/** `grant`: the id of the grant, `payment`: the key of the payment that the entry is about. */
export const entryView = ({ sequence, at, kind, grantId, redemptionKey, facts }: LedgerEntry) => ({
  sequence,
  at,
  kind,
  grant: grantId,
  payment: redemptionKey,
  facts,
})
