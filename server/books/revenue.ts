/** Adds up the accounts of all sales by asset, grant by grant, in pages: sales go on between two. */
import { stands } from "../core/credit.ts"
import type { Grant } from "../core/grant.ts"
import type { BookRow } from "../core/invariants.ts"
import type { Redemption } from "../core/redemption.ts"
import { type AssetAccounts, accountsOf, noAccounts, plusAccounts } from "../core/revenue.ts"
import type { Store } from "../ports/store.ts"

/** Grants in one read. */
const pageSize = 200

/** The accounts of each asset at a time, in seconds, sorted by network and asset. */
export async function readRevenue(
  store: Pick<Store, "books">,
  at: number,
): Promise<readonly AssetAccounts[]> {
  const totals = new Map<string, AssetAccounts>()
  let after = ""
  for (;;) {
    const page = await store.books({ after, limit: pageSize })
    for (const { grant, payments } of byGrant(page))
      for (const line of accountsOf(grant, payments, currentOf(payments), at)) add(totals, line)
    const last = page.at(-1)
    if (!last) break
    after = last.grant.id
  }
  return [...totals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, total]) => total)
}

/** A grant has one row for each payment, oldest first, or one without. */
function byGrant(rows: readonly BookRow[]): readonly { grant: Grant; payments: readonly Redemption[] }[] {
  const groups = new Map<string, { grant: Grant; payments: Redemption[] }>()
  for (const { grant, redemption } of rows) {
    const group = groups.get(grant.id) ?? { grant, payments: [] }
    if (redemption) group.payments.push(redemption)
    groups.set(grant.id, group)
  }
  return [...groups.values()]
}

const currentOf = (payments: readonly Redemption[]): Redemption | null => payments.findLast(stands) ?? null

function add(totals: Map<string, AssetAccounts>, { network, asset, accounts }: AssetAccounts): void {
  const key = `${network} ${asset}`
  const before = totals.get(key)?.accounts ?? noAccounts
  totals.set(key, { network, asset, accounts: plusAccounts(before, accounts) })
}
