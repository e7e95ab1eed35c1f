/** Serves the accounts of all sales: received, unsettled, lost, earned and still to be earned. */
import { z } from "zod"
import { readRevenue } from "../books/revenue.ts"
import { accountNames } from "../core/revenue.ts"
import { json } from "../http/respond.ts"
import type { Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { readQuery } from "./input.ts"
import type { AdminRoute } from "./routes.ts"

export const accountRoutes = (deps: {
  readonly store: Pick<Store, "books">
  readonly now: Now
}): readonly AdminRoute[] => [
  {
    method: "GET",
    path: "/api/accounts",
    role: "read",
    async handle({ request }) {
      readQuery(request, z.strictObject({}))
      const at = deps.now()
      const found = await readRevenue(deps.store, at)
      const accounts = found.map(({ network, asset, accounts }) => ({
        network,
        asset,
        ...Object.fromEntries(accountNames.map((name) => [name, accounts[name].toString()])),
      }))
      return json(200, { at, accounts })
    },
  },
]
