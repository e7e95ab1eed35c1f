/** The operator's look into single redemptions, in memory. */
import { retryDead } from "../../core/redemption.ts"
import { noSuch } from "../verbs/rules.ts"
import type { LedgerVerb, Verbs } from "../verbs/verb-list.ts"
import type { MemoryTables } from "./tables.ts"

export function createMemoryLedger(tables: MemoryTables): Pick<Verbs, LedgerVerb> {
  const { redemptions, transactions, rides, entries } = tables
  return {
    redemptions: ({ state, after, limit }) =>
      [...entries.values()]
        .filter(({ kind, sequence }) => kind === "redeemed" && sequence > after)
        .flatMap(({ sequence, redemptionKey }) => {
          const redemption = redemptions.get(redemptionKey ?? "")
          return redemption && (state === null || redemption.state === state)
            ? [{ sequence, redemption }]
            : []
        })
        .slice(0, limit),

    history({ key }) {
      const redemption = redemptions.get(key)
      if (!redemption) return null
      return {
        redemption,
        transactions: (rides.get(key) ?? []).flatMap((id) => transactions.get(id) ?? []),
        entries: [...entries.values()].filter((entry) => entry.redemptionKey === key),
      }
    },

    retry({ key, now }) {
      const before = redemptions.get(key)
      if (!before) throw noSuch("redemption", key)
      const effect = retryDead(before)
      if (!effect) return { retried: false }
      tables.saveRedemption(before, effect.redemption, now)
      tables.bookMove(before, effect, now)
      return { retried: true }
    },
  }
}
