/** Defines the port to a network, and the account that pays gas there. */

import type { NetworkInfo } from "../../shared/networks/network.ts"
import type { ChainLog, LogTopics, Scheme, SignedTransfer } from "../../shared/schemes/scheme.ts"
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { AssetReading } from "../core/asset-state.ts"
import type { TransferReading } from "../core/verdict.ts"
import type { SignedBytes } from "./records.ts"

/** The node does not answer, or its answer is unusable. This is no evidence about the payment. */
export class ChainUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "ChainUnavailable"
  }
}

/** Every node answered but refused this request: the fault concerns this request only. */
export class RequestRefused extends ChainUnavailable {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "RequestRefused"
  }
}

/** The node is of another chain, or the asset's domain is not the configured one: a configuration error. */
export class ChainMismatch extends Error {
  constructor(message: string) {
    super(message)
    this.name = "ChainMismatch"
  }
}

/** Two different nodes disagree, or only one answered: nothing is decided about this payment. */
export class Unwitnessed extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "Unwitnessed"
  }
}

export type Receipt = {
  readonly transactionHash: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
  readonly success: boolean
  readonly gasUsed: bigint
  readonly logs: readonly ChainLog[]
}

/** A log with its place on the chain. */
export type LocatedLog = ChainLog & {
  readonly transactionHash: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
}

/** A payment to be read on the chain, by the calls of its scheme. */
export type TransferQuery = {
  readonly scheme: Scheme
  readonly asset: Address
  readonly transfer: SignedTransfer
}

/** Logs of one contract from a block on. */
export type LogFilter = {
  readonly address: Address
  readonly topics: LogTopics
  readonly fromBlock: bigint
}

export type FoundLog = { readonly transactionHash: Hex; readonly blockNumber: bigint }

export type Fees = { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }

/** A call to be simulated; with fees, code can see the same gas price as in a transaction. */
export type SimulatedCall = {
  readonly from: Address
  readonly to: Address
  readonly data: Hex
  readonly gas: bigint
  readonly fees?: Fees
}

export type SendResult = "taken" | "nonce_too_low" | "underpriced" | "unfunded"

/** An asset, and the accounts about which its contract is asked. */
export type AssetQuery = { readonly asset: Address; readonly accounts: readonly Address[] }

/** A live connection to one network. Every verb throws {@link ChainUnavailable} when the node does not answer in time. */
export type Chain = {
  readonly network: NetworkInfo
  /** Resolves once the node proved to be of this chain and every asset's domain separator to be the configured one. */
  ready(): Promise<void>
  /** Whether the node is one for development, such as anvil, whose accounts everybody knows. */
  isDevelopment(): Promise<boolean>
  /** Resolves where nodes take the requests of a settlement. Nothing is sent. */
  canSettle(): Promise<void>
  readTransfer(query: TransferQuery): Promise<TransferReading>
  readAsset(query: AssetQuery): Promise<AssetReading>
  head(): Promise<{ number: bigint; hash: Hex; time: number }>
  /** Null when neither the first node nor another one has a block with this number. */
  blockHash(number: bigint): Promise<Hex | null>
  /** Number of the block with this hash, even where the chain does not contain it any more. */
  blockNumberOf(hash: Hex): Promise<bigint | null>
  /** Time of the block with this hash, in seconds; null when no node has it. */
  blockTime(hash: Hex): Promise<number | null>
  /**
   * Number of the newest block that no reorg removes; `finalityBlocks` behind the head when the node does not report
   * one.
   */
  finalized(): Promise<bigint>
  /** Transactions of the account in blocks (`latest`). */
  nonceOf(address: Address): Promise<number>
  /** Wei. */
  gasBalance(address: Address): Promise<bigint>
  fees(): Promise<Fees>
  /** Gas the call needs; null when it reverts or no node simulates it. */
  estimateGas(call: { from: Address; to: Address; data: Hex }): Promise<bigint | null>
  /** The result of the call with that much gas; null when it reverts or no node simulates it. */
  dryRun(call: SimulatedCall): Promise<Hex | null>
  /** Whether the asset was paused as of the block. */
  wasPaused(asset: Address, blockNumber: bigint): Promise<boolean>
  /** Whether there is code at the address, EIP-7702 delegations included. */
  hasCode(address: Address): Promise<boolean>
  /** Throws {@link RequestRefused} when every node refuses for another reason. */
  send(raw: Hex): Promise<SendResult>
  receipt(hash: Hex): Promise<Receipt | null>
  /**
   * The same reads, answered only when two different nodes agree; otherwise they throw {@link Unwitnessed}. Null when
   * one node is enough for the nominal value, and when only one node is configured.
   */
  agreed(nominal: bigint): Pick<Chain, "readTransfer" | "receipt"> | null
  findLogs(filter: LogFilter): Promise<readonly FoundLog[]>
  /** Every matching log in the blocks, both ends included, in the chain's order. */
  logs(filter: LogFilter & { readonly toBlock: bigint }): Promise<readonly LocatedLog[]>
}

/** The account that pays gas; it signs settlement calls and nothing else. */
export type Relayer = {
  readonly address: Address
  sign(transaction: {
    chainId: number
    nonce: number
    to: Address
    data: Hex
    gas: bigint
    fees: Fees
  }): Promise<SignedBytes>
}
