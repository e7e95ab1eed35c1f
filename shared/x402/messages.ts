/** The x402 v2 messages as ticket402 reads and writes them: lenient in the envelope, which decides nothing (wire.md §2). */
import * as z from "zod"
import { atomicPattern } from "../values/amount.ts"

export const paymentRequiredHeader = "PAYMENT-REQUIRED"
export const paymentSignatureHeader = "PAYMENT-SIGNATURE"
export const paymentResponseHeader = "PAYMENT-RESPONSE"
/** The v1 names (shared/x402/messages-v1.ts); a gate knows the first, to say that nothing is sold at this door. */
export const paymentHeaderV1 = "X-PAYMENT"
export const paymentResponseHeaderV1 = "X-PAYMENT-RESPONSE"
/** By which a client of the Machine Payments Protocol says what it can pay by. */
export const acceptPaymentHeader = "Accept-Payment"

const text = (max: number) => z.string().max(max)

/** One entry of `accepts`, and `accepted` of a payment. */
export const requirementsSchema = z.object({
  scheme: text(64),
  network: text(64),
  amount: z.string().regex(atomicPattern),
  asset: text(128),
  payTo: text(128),
  maxTimeoutSeconds: z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
  extra: z
    .object({
      name: text(128).optional(),
      version: text(32).optional(),
      /** The offer's id, `@`, and 8 hex digits of its content's hash. */
      offer: text(200).optional(),
      /** A signed compact quote, for prices that are not fixed (wire.md §3). */
      quote: text(200).optional(),
      paymentFlow: text(64).optional(),
      assetTransferMethod: text(64).optional(),
    })
    .nullish(),
})
export type PaymentRequirements = z.infer<typeof requirementsSchema>

/** How an offer is described beside `accepts`. */
export const offerTermsSchema = z.object({
  scope: text(512),
  durationSeconds: z.number().int().positive(),
  /** How many calls of the usual cost it buys; null when time alone ends it. */
  calls: z.number().int().positive().nullish(),
  /** The same as money, a decimal string of the currency, where it is sold as that. */
  value: text(80).nullish(),
  /** False for a single call. */
  reusable: z.boolean().nullish(),
  /** What one of `calls` comes to: atomic units of the offer's first entry, rounded up. */
  unitPrice: z.string().regex(atomicPattern).nullish(),
  /** From so many calls on it costs no more than single calls that are on sale beside it. */
  breakEvenCalls: z.number().int().positive().nullish(),
  settle: z.enum(["background", "first"]),
  /** Seconds; its quoted prices hold for payments signed until then. Fixed prices have no end that is known. */
  priceExpiresAt: z.number().int().positive().nullish(),
  /** Its tokens are bound to a key of the buyer: the payment comes with a DPoP proof. */
  dpop: z.literal("required").optional(),
})
export type OfferTerms = z.infer<typeof offerTermsSchema>

/** `extensions["access-token"].info`: what `accepts` lacks, so that a client knows where to buy and for what audience. */
export const accessTokenInfoSchema = z.object({
  tokenEndpoint: text(2048),
  resource: text(2048),
  /** How many of an offer's `calls` this one takes; 1 when not given. */
  cost: z.number().int().positive().nullish(),
  /** By offer reference, as in `accepts[].extra.offer`. */
  offers: z.record(text(200), offerTermsSchema),
})
export type AccessTokenInfo = z.infer<typeof accessTokenInfoSchema>

export const accessTokenExtension = "access-token"
export const paymentIdentifierExtension = "payment-identifier"

export const paymentRequiredSchema = z.object({
  x402Version: z.literal(2),
  error: text(512).nullish(),
  resource: z.object({
    url: text(2048),
    description: text(1024).nullish(),
    mimeType: text(128).nullish(),
  }),
  /** Entries of schemes this client does not know may have any form: each is read by itself. */
  accepts: z.array(z.unknown()).max(100),
  extensions: z
    .object({ [accessTokenExtension]: z.object({ info: accessTokenInfoSchema }).optional() })
    .nullish(),
})
export type PaymentRequired = z.infer<typeof paymentRequiredSchema>

export const paymentPayloadSchema = z.object({
  x402Version: z.literal(2),
  accepted: requirementsSchema,
  /** Read by the scheme, strictly. */
  payload: z.unknown(),
  extensions: z
    .object({
      [paymentIdentifierExtension]: z
        .object({ info: z.object({ id: text(200).optional() }).optional() })
        .optional(),
    })
    .nullish(),
})
export type PaymentPayload = z.infer<typeof paymentPayloadSchema>

/** `PAYMENT-RESPONSE`; sent only when the money is in. */
export type SettlementResponse = { success: boolean; transaction: string; network: string; payer: string }
