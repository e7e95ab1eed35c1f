/** Defines the receipt of a payment, signed by the seller, which a third party can check offline. */
import * as z from "zod"

/** The `typ` of the JWS (RFC 8725 §3.11), so that no receipt is accepted as an access token, or the reverse. */
export const receiptType = "ticket402-receipt+jwt"

const text = z.string().min(1).max(512)
const seconds = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)

export const receiptSchema = z.object({
  iss: text,
  /** Time of the signature of this copy. */
  iat: seconds,
  /** CAIP-10 of the payer, in lower case. */
  sub: text,
  /** The purchase: id of the grant, and reference of the offer. */
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
    /** Log index of the Transfer within its block. */
    log_index: seconds,
    settled_at: seconds,
  }),
})
export type Receipt = z.infer<typeof receiptSchema>
