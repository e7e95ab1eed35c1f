/** Defines a payment scheme: the module that holds every fact of one kind of signed payment. Schemes do no I/O. */
import type { AssetInfo } from "../networks/network.ts"
import type { Address, Domain, Hex, Recover } from "../values/evm.ts"
import type { ChainLog, Income, LogTopics } from "./erc20.ts"

export type { ChainLog, Income, LogTopics } from "./erc20.ts"

/** A payment as its payer signed it, in canonical form (lower-case hex, bigint): the fields that the books keep. */
export type SignedTransfer = {
  readonly payer: Address
  readonly payTo: Address
  /** Atomic units. */
  readonly value: bigint
  /** Seconds. The payment is valid while `validAfter < block time < validBefore`, strictly on both sides. */
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

/** A call of a contract. */
export type Call = { readonly to: Address; readonly data: Hex }

/** The result of one payment, as the logs of one receipt prove it. */
export type TransferOutcome =
  /** The promised Transfer is in the receipt, at this index. */
  | { readonly kind: "paid"; readonly logIndex: number }
  /** The once-only key was used, but another transfer or none followed. */
  | { readonly kind: "diverted" }
  /** The once-only key was used, and less than promised arrived at payTo. */
  | { readonly kind: "short"; readonly received: bigint }
  | { readonly kind: "cancelled" }
  /** Nothing about this payment. */
  | { readonly kind: "silent" }

/** A payment that a receipt proves. */
export type SeenPayment = Income & {
  readonly nonce: Hex
  /** Of the Transfer. */
  readonly logIndex: number
}

export type SignatureVerdict = "valid" | "signature_not_canonical" | "signature_invalid"

/** Members of an entry's `extra` that a scheme may fill. */
export const extraMembers = ["name", "version", "assetTransferMethod"] as const

export type Scheme = {
  /** Names the scheme in the books and in offers; never changes, because old rows carry it. */
  readonly id: string
  /** The scheme and transfer method in x402's words; no two schemes share both. */
  readonly name: string
  readonly assetTransferMethod: string
  /** Whether the payment may share a transaction with others. */
  readonly batchable: boolean

  /** The members of an entry's `extra` from which a client knows what to sign. */
  extra(asset: AssetInfo): { readonly [member in (typeof extraMembers)[number]]?: string }
  /** Reads `payload` of an x402 payment; strict, no coercion. Throws a PayloadError that names the member. */
  parse(payload: unknown, asset: Address): SignedTransfer
  /** The `payload` of an x402 payment. */
  serialize(transfer: SignedTransfer, asset: Address): Record<string, unknown>
  /** The once-only key of the payment, from canonical values only. */
  redemptionKey(chainId: number, asset: Address, transfer: Pick<TransferTerms, "payer" | "nonce">): string
  /** `domain` is that of the asset's contract. */
  sign(terms: TransferTerms, domain: Domain, signer: TypedDataSigner): Promise<Hex>
  /** Whether the signature is the payer's, in the one spelling the chain takes. */
  verify(transfer: SignedTransfer, domain: Domain, recover: Recover): Promise<SignatureVerdict>

  /** Where payments of an asset are settled, and the selector of the only function called there. */
  readonly settlement: { readonly selector: Hex; target(asset: Address): Address }
  /** The call that moves the money. */
  settlementCall(asset: Address, transfer: SignedTransfer): Call
  /** The read-only call whose answer, one word, shows whether the once-only key was used. */
  usedCall(asset: Address, transfer: TransferTerms): Call
  isUsed(answer: bigint, transfer: TransferTerms): boolean
  /** The log search that finds every receipt with something about the payment. */
  outcomeLogs(
    asset: Address,
    transfer: TransferTerms,
  ): { readonly address: Address; readonly topics: LogTopics }
  outcome(logs: readonly ChainLog[], asset: Address, transfer: TransferTerms): TransferOutcome
  /** Every payment of the scheme that these logs of one receipt prove. */
  payments(logs: readonly ChainLog[], asset: Address): readonly SeenPayment[]
}

export class PayloadError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "PayloadError"
  }
}
