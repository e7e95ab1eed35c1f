/** Defines the x402 v2 messages. The envelope is read leniently, because it decides nothing. */
import * as z from "zod"
import { tokenHeader } from "../token-header.ts"
import { atomicPattern } from "../values/amount.ts"

export const paymentRequiredHeader = "PAYMENT-REQUIRED"
export const paymentSignatureHeader = "PAYMENT-SIGNATURE"
export const paymentResponseHeader = "PAYMENT-RESPONSE"
/** The header names of x402 v1. A gate reads the first to answer that it accepts no payments. */
export const paymentHeaderV1 = "X-PAYMENT"
export const paymentResponseHeaderV1 = "X-PAYMENT-RESPONSE"
/** With this header a client of the Machine Payments Protocol lists its payment methods. */
export const acceptPaymentHeader = "Accept-Payment"

const text = (max: number) => z.string().max(max)

/** An entry of `accepts`, and the `accepted` of a payment. */
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
      /** Decimals of the asset, for display only: amounts are atomic units. */
      decimals: z.number().int().nonnegative().max(255).optional(),
      /** The id of the offer, `@`, and 8 hex digits of the hash of its content. */
      offer: text(200).optional(),
      /** A sealed price quote, for prices that change. */
      quote: text(200).optional(),
      paymentFlow: text(64).optional(),
      assetTransferMethod: text(64).optional(),
    })
    .nullish(),
})
export type PaymentRequirements = z.infer<typeof requirementsSchema>

/** The description of an offer beside `accepts`. */
export const offerTermsSchema = z.object({
  scope: text(512),
  durationSeconds: z.number().int().positive(),
  /** The number of calls of the usual cost that it buys; null when only time ends it. */
  calls: z.number().int().positive().nullish(),
  /** The same in money, a decimal string of the currency, for offers that sell `value`. */
  value: text(80).nullish(),
  /** False for a single call. */
  reusable: z.boolean().nullish(),
  /** The price of one of `calls`: atomic units of the first entry of the offer, rounded up. */
  unitPrice: z.string().regex(atomicPattern).nullish(),
  /** The number of calls from which it costs no more than single calls on sale beside it. */
  breakEvenCalls: z.number().int().positive().nullish(),
  settle: z.enum(["background", "first"]),
  /** Seconds; the quoted prices hold for payments that are signed until then. Fixed prices have no known end. */
  priceExpiresAt: z.number().int().positive().nullish(),
  /** The tokens are bound to a key of the buyer, so the payment comes with a DPoP proof. */
  dpop: z.literal("required").optional(),
})
export type OfferTerms = z.infer<typeof offerTermsSchema>

/** `extensions["access-token"].info` completes `accepts`: the place of sale and the audience of its tokens. */
export const accessTokenInfoSchema = z.object({
  tokenEndpoint: text(2048),
  resource: text(2048),
  /** The number of `calls` that this call takes; 1 when absent. */
  cost: z.number().int().positive().nullish(),
  /** The header that shows the token; `Authorization` when absent. */
  tokenHeader: z.literal(tokenHeader).optional(),
  /** By offer reference, as in `accepts[].extra.offer`. */
  offers: z.record(text(200), offerTermsSchema),
})
export type AccessTokenInfo = z.infer<typeof accessTokenInfoSchema>

export const accessTokenExtension = "access-token"
export const paymentIdentifierExtension = "payment-identifier"
/** Names the entries of `accepts` that need a credential, and the token endpoint that issues it. */
export const authHintsExtension = "auth-hints"

export const paymentRequiredSchema = z.object({
  x402Version: z.literal(2),
  error: text(512).nullish(),
  resource: z.object({
    url: text(2048),
    description: text(1024).nullish(),
    mimeType: text(128).nullish(),
  }),
  /** Entries of unknown schemes may have any form, so each entry is read separately. */
  accepts: z.array(z.unknown()).max(100),
  extensions: z
    .object({ [accessTokenExtension]: z.object({ info: accessTokenInfoSchema }).optional() })
    .nullish(),
})
export type PaymentRequired = z.infer<typeof paymentRequiredSchema>

export const paymentPayloadSchema = z.object({
  x402Version: z.literal(2),
  accepted: requirementsSchema,
  /** The scheme reads it strictly. */
  payload: z.unknown(),
  /** Some clients write null for a member that they do not use, here and in `resource`. */
  extensions: z
    .object({
      [paymentIdentifierExtension]: z
        .object({ info: z.object({ id: text(200).nullish() }).nullish() })
        .nullish(),
    })
    .nullish(),
})
export type PaymentPayload = z.infer<typeof paymentPayloadSchema>

/** `PAYMENT-RESPONSE`, which is sent only after settlement. */
export type SettlementResponse = { success: boolean; transaction: string; network: string; payer: string }
