/** Acts on grants and payments for an operator; the ledger keeps the name of the token that asked. */
import { z } from "zod"
import { mostUnits } from "../core/units.ts"
import { json } from "../http/respond.ts"
import type { Now } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import { readJson } from "./input.ts"
import { AdminRefusal } from "./refusals.ts"
import type { AdminCall, AdminRoute } from "./routes.ts"

export type ActionDeps = {
  readonly store: Pick<Store, "findGrant" | "revoke" | "creditUnits" | "recall" | "retry">
  readonly now: Now
  /** A grant ended: the gate need not wait for its next poll. */
  readonly onEnded: () => void
  /** A payment is due again: the worker need not wait for its next poll. */
  readonly onRetried: () => void
}

const note = z
  .string()
  .regex(/^[^\p{C}]{1,200}$/u, "wanted 1 to 200 printable characters")
  .optional()
const noted = z.strictObject({ note })
const credited = z.strictObject({ units: z.number().int().min(1).max(mostUnits), note })
const nothing = z.strictObject({})

export function actionRoutes(deps: ActionDeps): readonly AdminRoute[] {
  const { store, now } = deps

  async function requireGrant({ parameters }: AdminCall): Promise<string> {
    const { id: value = "" } = parameters
    if (!(await store.findGrant({ by: "id", value }))) throw new AdminRefusal("grant_unknown")
    return value
  }

  async function revoke(call: AdminCall): Promise<Response> {
    const { note = null } = await readJson(call.request, noted)
    const target = { kind: "grant", grantId: await requireGrant(call) } as const
    const author = { by: "operator", admin: call.identity.name, note } as const
    const { revoked } = await store.revoke({ target, ...author, now: now() })
    if (revoked > 0) deps.onEnded()
    return json(200, { revoked })
  }

  async function credit(call: AdminCall): Promise<Response> {
    const { units, note = null } = await readJson(call.request, credited)
    const grantId = await requireGrant(call)
    const meter = await store.creditUnits({ grantId, units, admin: call.identity.name, note, now: now() })
    if (!meter) throw new AdminRefusal("grant_uncounted")
    return json(200, { credited: units, left: meter.left })
  }

  async function retry(call: AdminCall): Promise<Response> {
    await readJson(call.request, nothing)
    const { key = "" } = call.parameters
    const known = await store.recall({ key })
    if (!known) throw new AdminRefusal("payment_unknown")
    const { retried } = await store.retry({ key, admin: call.identity.name, now: now() })
    if (!retried) throw new AdminRefusal("payment_not_dead", `found state ${known.redemption.state}`)
    deps.onRetried()
    return json(200, { retried: key })
  }

  return [
    { method: "POST", path: "/api/grants/:id/revoke", role: "operate", handle: revoke },
    { method: "POST", path: "/api/grants/:id/credit", role: "operate", handle: credit },
    { method: "POST", path: "/api/payments/:key/retry", role: "operate", handle: retry },
  ]
}
