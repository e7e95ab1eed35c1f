/** Reads the filters of the ledger's endpoints. */
import { z } from "zod"
import { parseAddress } from "../../shared/values/evm.ts"
import { ledgerKinds } from "../core/ledger-facts.ts"
import type { LedgerFilter } from "../core/ledger-filter.ts"
import { redemptionStates } from "../core/redemption.ts"
import { AdminRefusal } from "./refusals.ts"

const words = (wanted: string) => z.string().regex(/^[^\p{C}\s]{1,200}$/u, `wanted ${wanted}`)
const address = z.string().transform((text, context) => {
  const found = parseAddress(text)
  if (found) return found
  context.addIssue({ code: "custom", message: "wanted an address of 20 bytes in hex with a right checksum" })
  return z.NEVER
})
/** Epoch seconds, or ISO 8601 with a time zone. */
const instant = z
  .string()
  .regex(
    /^(?:\d{1,12}|\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))$/,
    "wanted seconds, or 2026-11-21T09:00:00Z",
  )
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : Math.floor(Date.parse(text) / 1000)))

/** The query parameters of every endpoint that selects entries. */
export const filterShape = {
  /** One kind, or several separated by commas. */
  kind: z.string().optional(),
  state: z.enum(redemptionStates).optional(),
  network: words("a CAIP-2 id").optional(),
  asset: address.optional(),
  offer: words("the id of an offer, or its reference").optional(),
  payer: address.optional(),
  grant: words("the id of a grant").optional(),
  from: instant.optional(),
  to: instant.optional(),
}

type Query = z.output<z.ZodObject<typeof filterShape>>

/** Only what was given; throws an {@link AdminRefusal} for an unknown kind. */
export function filterOf({ kind, ...query }: Query): LedgerFilter {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(given), ...(kind !== undefined && { kinds: kind.split(",").map(kindOf) }) }
}

function kindOf(text: string) {
  const kind = ledgerKinds.find((each) => each === text)
  if (kind) return kind
  throw new AdminRefusal(
    "malformed",
    `kind: found ${JSON.stringify(text.slice(0, 80))}, wanted ${ledgerKinds.join(", ")}`,
  )
}
