/** Sums the sales of the ledger by a member and by period, exactly, in ranges of bounded size. */
import type { LedgerFilter } from "../core/ledger-filter.ts"
import { isSettled, isUnsettled, type RedemptionState } from "../core/redemption.ts"
import type { SaleSum, SumsRequest } from "../ports/records.ts"
import type { Store } from "../ports/store.ts"
import { type LedgerStore, rangesOf } from "./ledger-reader.ts"

type Part = { readonly payments: number; readonly value: bigint }

/** Sales of one asset, by their present state; `sold` is the sum of the other three. */
export type Total = Pick<SaleSum, "network" | "asset" | "name" | "since"> & {
  readonly sold: Part
  readonly settled: Part
  readonly unsettled: Part
  readonly failed: Part
  /** Of whitelisted callers: their payments are never settled, and their value counts nowhere. */
  readonly free: number
}

export async function sumSales(
  store: LedgerStore & Pick<Store, "sums">,
  request: SumsRequest & { readonly filter: LedgerFilter },
): Promise<readonly Total[]> {
  const totals = new Map<string, Total>()
  for await (const range of rangesOf(store, request.filter, 0))
    for (const sum of await store.sums({ ...request, ...range })) {
      const { network, asset, name, since } = sum
      const key = JSON.stringify([name, network, asset, since])
      totals.set(key, added(totals.get(key) ?? { network, asset, name, since, ...nothing }, sum))
    }
  // Sorted twice: within a period by the other members.
  const byMembers = [...totals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, total]) => total)
  return byMembers.sort((a, b) => (a.since ?? 0) - (b.since ?? 0))
}

const none: Part = { payments: 0, value: 0n }
const nothing = { sold: none, settled: none, unsettled: none, failed: none, free: 0 }

function added(total: Total, { state, payments, value }: SaleSum): Total {
  if (state === "free") return { ...total, free: total.free + payments }
  const part = partOf(state)
  return {
    ...total,
    sold: plus(total.sold, { payments, value }),
    [part]: plus(total[part], { payments, value }),
  }
}

function partOf(state: RedemptionState): "settled" | "unsettled" | "failed" {
  if (isSettled(state)) return "settled"
  return isUnsettled(state) ? "unsettled" : "failed"
}

const plus = (a: Part, b: Part): Part => ({ payments: a.payments + b.payments, value: a.value + b.value })
