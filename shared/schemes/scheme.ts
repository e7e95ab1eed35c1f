/** What a payment scheme is: one module that names, signs, verifies, settles and recognises one kind of signed transfer. */
import type { Address, Domain, Hex, Recover } from "../values/evm.ts"

/** What a payer signed, in canonical form (lower-case hex, bigint). */
export type SignedTransfer = {
  readonly payer: Address
  readonly payTo: Address
  /** Atomic units. */
  readonly value: bigint
  /** Seconds; the chain wants `validAfter < block time < validBefore`, strictly (ERC-3009). */
  readonly validAfter: bigint
  readonly validBefore: bigint
  /** 32 bytes. */
  readonly nonce: Hex
  readonly signature: Hex
}

export type TransferTerms = Omit<SignedTransfer, "signature">

/** The payer's key: a viem account fits. */
export type TypedDataSigner = {
  readonly address: Address
  signTypedData(parameters: {
    domain: Domain | Pick<Domain, "name" | "version">
    types: Record<string, readonly { name: string; type: string }[]>
    primaryType: string
    message: Record<string, unknown>
  }): Promise<Hex>
}

/** A log of a receipt, hex in lower case. */
export type ChainLog = {
  readonly address: Address
  readonly topics: readonly Hex[]
  readonly data: Hex
  readonly logIndex: number
}

/** What the logs of one receipt say about one signed transfer. */
export type TransferOutcome =
  /** AuthorizationUsed, and the asset's next log is the Transfer that was promised. */
  | { readonly kind: "paid"; readonly logIndex: number }
  /** AuthorizationUsed, but the money that followed is another transfer or none. */
  | { readonly kind: "diverted" }
  /** AuthorizationUsed, and less than promised arrived at payTo. */
  | { readonly kind: "short"; readonly received: bigint }
  | { readonly kind: "cancelled" }
  /** Nothing about this nonce in these logs. */
  | { readonly kind: "silent" }

/** Money that one log says arrived, whatever for. */
export type Income = { readonly payer: Address; readonly payTo: Address; readonly value: bigint }

/** An authorization that a receipt shows used and paid. */
export type SeenPayment = Income & {
  readonly nonce: Hex
  /** Of the Transfer. */
  readonly logIndex: number
}

export type Scheme = {
  /** x402 scheme name, e.g. `exact`. */
  readonly name: string
  /** May share a transaction with other payments. */
  readonly batchable: boolean
  /** Reads `payload` of an x402 payment; strict, no coercion. Throws a PayloadError that says what was wanted. */
  parse(payload: unknown): SignedTransfer
  /** The `payload` of an x402 payment. */
  serialize(transfer: SignedTransfer): Record<string, unknown>
  /** The once-only key of the payment, from canonical values only. */
  redemptionKey(chainId: number, asset: Address, transfer: Pick<TransferTerms, "payer" | "nonce">): string
  sign(terms: TransferTerms, domain: Domain, signer: TypedDataSigner): Promise<Hex>
  /** Whether the signature is the payer's, in the one spelling the chain takes. */
  verify(transfer: SignedTransfer, domain: Domain, recover: Recover): Promise<SignatureVerdict>
  /** Calldata for the asset's contract that moves the money. */
  settlementCall(transfer: SignedTransfer): Hex
  /** Topics by which `eth_getLogs` finds what became of the nonce: topic0 alternatives, payer, nonce. */
  outcomeTopics(transfer: TransferTerms): readonly (Hex | readonly Hex[] | null)[]
  outcome(logs: readonly ChainLog[], asset: Address, transfer: TransferTerms): TransferOutcome
  /** Topics by which `eth_getLogs` finds all that arrived at these accounts, by a signed transfer or not. */
  incomeTopics(payTos: readonly Address[]): readonly (Hex | readonly Hex[] | null)[]
  /** What a log so found says; undefined for any other log. */
  income(log: ChainLog): Income | undefined
  /** The signed transfers that these logs of one receipt show paid, whosever they are. */
  payments(logs: readonly ChainLog[], asset: Address): readonly SeenPayment[]
}

export type SignatureVerdict = "valid" | "signature_not_canonical" | "signature_invalid"

export class PayloadError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "PayloadError"
  }
}
