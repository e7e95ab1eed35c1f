/** A receipt: what was paid, signed by who was paid, so that a third party can check it without asking anybody. */
import * as z from "zod"

/** `typ` of the JWS (RFC 8725 §3.11): no receipt passes for an access token, and no token for a receipt. */
export const receiptType = "ticket402-receipt+jwt"

const text = z.string().min(1).max(512)
const seconds = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)

export const receiptSchema = z.object({
  iss: text,
  /** When this copy was signed. */
  iat: seconds,
  /** CAIP-10 of the payer, in lower case. */
  sub: text,
  /** What was bought: id of the grant, and reference of the offer. */
  grant: text,
  offer: text,
  payment: z.object({
    /** CAIP-2. */
    network: text,
    asset: text,
    payer: text,
    pay_to: text,
    /** Decimal string of atomic units. */
    amount: z.string().regex(/^[0-9]{1,78}$/),
    transaction: text,
    /** Of the Transfer, within its block. */
    log_index: seconds,
    settled_at: seconds,
  }),
})
export type Receipt = z.infer<typeof receiptSchema>
