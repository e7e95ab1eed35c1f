/** Defines the question that a seller's own function answers before a sale. */
import type { Address } from "../../shared/values/evm.ts"

/** A payment that is genuine and covered, before anything is sold for it. */
export type Sale = {
  /** Id of the offer. */
  readonly offer: string
  readonly scope: string
  readonly payer: Address
  /** CAIP-2. */
  readonly network: string
  readonly asset: Address
  /** Atomic units. */
  readonly value: bigint
  /** The grant that a further payment is for; null for a new one. */
  readonly grant: string | null
}

/** `refuse`: the reason, which the buyer reads; 1 to 200 characters of ASCII without `"` and `\`. */
export type SaleDecision = undefined | { readonly refuse: string }

/** Asked before each paid sale; undefined approves. It has 2 seconds. */
export type BeforeSale = (sale: Sale) => SaleDecision | Promise<SaleDecision>
