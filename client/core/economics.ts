/** Which of the entries that may be bought is the best for the payer. */
import type { OfferTerms } from "../../shared/x402/messages.ts"
import type { Funds } from "./balances.ts"
import type { Acceptable, Choice } from "./policy.ts"

export type Plan = {
  /** How many calls like this one are to come. */
  readonly expectedCalls: number
  /** What one of them takes of an offer's calls. */
  readonly cost: number
  readonly funds: Funds
}

/**
 * What is bought of one or more entries: of a known recipient before one that somebody must be asked about, from where
 * the money is, the cheapest for all the calls to come, and of equal ones with the fewest purchases, then the longest.
 */
export function best(entries: readonly Acceptable[], { expectedCalls, cost, funds }: Plan): Choice {
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

/** How many calls of this cost an offer is good for; undefined when only time ends it. */
function callsOf(terms: OfferTerms, cost: number): number | undefined {
  if (terms.reusable === false) return 1
  return terms.calls == null ? undefined : Math.floor(terms.calls / cost)
}
