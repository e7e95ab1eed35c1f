/** Defines the x402 v1 messages of a seller: the 402 in the body, and the payment in `X-PAYMENT`. */
import { z } from "zod"

/** One entry of `accepts`. */
export type PaymentRequirementsV1 = {
  scheme: string
  /** A name, such as `base-sepolia`. */
  network: string
  /** Atomic units; for the scheme `exact` the price. */
  maxAmountRequired: string
  resource: string
  description: string
  mimeType: string
  payTo: string
  maxTimeoutSeconds: number
  asset: string
  /** EIP-712 name and version of the asset. */
  extra?: Record<string, string>
}

export type PaymentRequiredV1 = {
  x402Version: 1
  error: string
  /** One sentence for a person. */
  message: string
  accepts: PaymentRequirementsV1[]
}

/** The payment names no offer, so the seller finds the offer by the signed recipient and amount. */
export const paymentPayloadV1Schema = z.object({
  x402Version: z.literal(1),
  scheme: z.string().max(64),
  network: z.string().max(64),
  /** The scheme reads it strictly. */
  payload: z.unknown(),
})
