/** Chooses the best of the entries that may be bought. */
import type { OfferTerms } from "../../shared/x402/messages.ts"
import type { Funds } from "./balances.ts"
import type { Acceptable, Choice } from "./policy.ts"

export type Plan = {
  /** How many calls like this one are planned. */
  readonly expectedCalls: number
  /** How many of an offer's calls one of them takes. */
  readonly cost: number
  readonly funds: Funds
}

/**
 * Ranks one or more entries. A known recipient comes before one that needs approval, then an asset with enough balance,
 * then the lowest price for all planned calls, then the fewest purchases, then the longest duration.
 */
export function chooseBest(entries: readonly Acceptable[], { expectedCalls, cost, funds }: Plan): Choice {
  const ranked = entries.map((entry) => {
    const calls = callsOf(entry.terms, cost)
    const times = calls === undefined ? 1n : BigInt(Math.ceil(expectedCalls / calls))
    const rank = [
      entry.recipient === "new" ? 1n : 0n,
      fundsRank[funds(entry)],
      entry.micros * times,
      times,
      -BigInt(entry.terms.durationSeconds),
    ]
    return { entry, rank }
  })
  const first = ranked.reduce((best, next) => (comesBefore(next.rank, best.rank) ? next : best))
  return { ...first.entry, recipients: [...new Set(entries.map(({ payTo }) => payTo))] }
}

const fundsRank = { yes: 0n, unknown: 1n, no: 2n }

function comesBefore(a: readonly bigint[], b: readonly bigint[]): boolean {
  const at = a.findIndex((figure, index) => figure !== b[index])
  return at >= 0 && (a[at] ?? 0n) < (b[at] ?? 0n)
}

/** How many calls of this cost an offer includes; undefined when only time ends it. */
function callsOf(terms: OfferTerms, cost: number): number | undefined {
  if (terms.reusable === false) return 1
  return terms.calls == null ? undefined : Math.floor(terms.calls / cost)
}
