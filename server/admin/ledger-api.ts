/** Serves the ledger: pages, exports that stream, and sums of its sales. */
import { z } from "zod"
import { entryView } from "../delivery/entry-view.ts"
import { type LedgerStore, readAll, readPage } from "../delivery/ledger-reader.ts"
import { sumSales, type Total } from "../delivery/sales-sums.ts"
import { json } from "../http/respond.ts"
import { type SumName, sumNames } from "../ports/records.ts"
import type { Store } from "../ports/store.ts"
import { csv, type ExportFormat, exported, jsonLines } from "./exports.ts"
import { limit, readQuery, sequence } from "./input.ts"
import { filterOf, filterShape } from "./ledger-query.ts"
import type { AdminCall, AdminRoute } from "./routes.ts"

const pageQuery = z.strictObject({ ...filterShape, after: sequence, limit })
const exportQuery = z.strictObject({ ...filterShape, after: sequence })
const periods = { hour: 3600, day: 86_400 } as const
const totalsQuery = z.strictObject({
  ...filterShape,
  by: z.enum(sumNames).optional(),
  per: z.enum(["hour", "day"]).optional(),
})

export function ledgerRoutes(store: LedgerStore & Pick<Store, "sums">): readonly AdminRoute[] {
  async function page({ request }: AdminCall): Promise<Response> {
    const { after, limit, ...query } = readQuery(request, pageQuery)
    const { generation, found, last, isEnd } = await readPage(store, filterOf(query), { after, limit })
    return json(200, { generation, entries: found.map(entryView), next: isEnd ? null : last })
  }

  const exportAs =
    (format: ExportFormat) =>
    ({ request }: AdminCall): Response => {
      const { after, ...query } = readQuery(request, exportQuery)
      return exported(readAll(store, filterOf(query), after), format)
    }

  async function totals({ request }: AdminCall): Promise<Response> {
    const { by = null, per, ...query } = readQuery(request, totalsQuery)
    const filter = filterOf(query)
    const found = await sumSales(store, { filter, by, per: per === undefined ? null : periods[per] })
    return json(200, { totals: found.map((total) => totalView(total, by)) })
  }

  return [
    { method: "GET", path: "/api/ledger", role: "read", handle: page },
    { method: "GET", path: "/api/ledger.csv", role: "read", handle: exportAs(csv) },
    { method: "GET", path: "/api/ledger.jsonl", role: "read", handle: exportAs(jsonLines) },
    { method: "GET", path: "/api/totals", role: "read", handle: totals },
  ]
}

export const totalView = ({ network, asset, name, since, ...total }: Total, by: SumName | null) => ({
  ...(since !== null && { since }),
  ...(by !== null && { [by]: name }),
  network,
  asset,
  sold: partView(total.sold),
  settled: partView(total.settled),
  unsettled: partView(total.unsettled),
  failed: partView(total.failed),
  free: total.free,
})

const partView = ({ payments, value }: Total["sold"]) => ({ payments, value: value.toString() })
