/** Serves the payments of the books: a list by state, and the whole story of one. */
import { z } from "zod"
import { historyView, paymentView } from "../books/payment-view.ts"
import { redemptionStates } from "../core/redemption.ts"
import { collect } from "../delivery/ledger-reader.ts"
import { json } from "../http/respond.ts"
import type { Store } from "../ports/store.ts"
import { limit, readQuery, sequence } from "./input.ts"
import { AdminRefusal } from "./refusals.ts"
import type { AdminRoute } from "./routes.ts"

const query = z.strictObject({ state: z.enum(redemptionStates).optional(), after: sequence, limit })

export const paymentRoutes = (
  store: Pick<Store, "newest" | "firstSince" | "redemptions" | "history">,
): readonly AdminRoute[] => [
  {
    method: "GET",
    path: "/api/payments",
    role: "read",
    async handle({ request }) {
      const { state = null, after, limit } = readQuery(request, query)
      const page = { after, limit }
      const { found, last, isEnd } = await collect(store, {}, page, (range) =>
        store.redemptions({ state, ...range }),
      )
      return json(200, {
        payments: found.map(({ sequence, redemption }) => ({ sequence, ...paymentView(redemption) })),
        next: isEnd ? null : last,
      })
    },
  },
  {
    method: "GET",
    path: "/api/payments/:key",
    role: "read",
    async handle({ parameters }) {
      const history = await store.history({ key: parameters.key ?? "" })
      if (!history) throw new AdminRefusal("payment_unknown")
      return json(200, historyView(history))
    },
  },
]
