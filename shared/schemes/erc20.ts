/** Reads the `Transfer` logs of ERC-20 contracts, in which every scheme moves its money. */
import { type Address, type Hex, keccak256, lowerAddress, stringToBytes } from "../values/evm.ts"

/** A log of a receipt, hex in lower case. */
export type ChainLog = {
  readonly address: Address
  readonly topics: readonly Hex[]
  readonly data: Hex
  readonly logIndex: number
}

/** Topics of a log search: alternatives by position; null matches any. */
export type LogTopics = readonly (Hex | readonly Hex[] | null)[]

/** Money that one log moved. */
export type Income = { readonly payer: Address; readonly payTo: Address; readonly value: bigint }

export const eventTopic = (event: string): Hex => keccak256(stringToBytes(event))

const transferred = eventTopic("Transfer(address,address,uint256)")

/** `paused()`, which assets with a switch for all transfers have. */
export const pausedSelector: Hex = "0x5c975abb"

/** Finds every transfer to these accounts, by a signed payment or not. */
export const incomeTopics = (payTos: readonly Address[]): LogTopics => [
  transferred,
  null,
  payTos.map(addressTopic),
]

/** The money of a `Transfer`; undefined for any other log. */
export function readIncome(log: ChainLog): Income | undefined {
  const [event, from, to] = log.topics
  const isTransfer = event === transferred && from !== undefined && to !== undefined
  if (!isTransfer || !/^0x[0-9a-f]{64}$/.test(log.data)) return undefined
  return { payer: addressIn(from), payTo: addressIn(to), value: BigInt(log.data) }
}

/** The logs of one contract in the order they were emitted, which shows what belongs together. */
export const logsOf = (logs: readonly ChainLog[], contract: Address): readonly ChainLog[] =>
  logs
    .filter((log) => lowerAddress(log.address) === lowerAddress(contract))
    .sort((a, b) => a.logIndex - b.logIndex)

export const addressTopic = (address: Address): Hex => `0x${"0".repeat(24)}${lowerAddress(address).slice(2)}`

export const addressIn = (topic: Hex): Address => lowerAddress(`0x${topic.slice(26)}`)
