/** Reads results of JSON-RPC. Each reader throws {@link MalformedAnswer} for another shape: `BigInt` alone reads many as 0. */
import { type Hex, lowerAddress } from "../../shared/values/evm.ts"
import type { LocatedLog, Receipt } from "../ports/chain.ts"
import { MalformedAnswer } from "./json-rpc.ts"

/** In lower case. */
export function hexOf(answer: unknown): Hex {
  if (typeof answer !== "string" || !/^0x[0-9a-fA-F]*$/.test(answer)) throw new MalformedAnswer("hex")
  return answer.toLowerCase() as Hex
}

export function quantityOf(answer: unknown): bigint {
  const hex = hexOf(answer)
  if (hex === "0x") throw new MalformedAnswer("a quantity")
  return BigInt(hex)
}

export type Block = {
  readonly number: bigint
  readonly hash: Hex
  readonly time: number
  /** In wei; null on a chain without EIP-1559. */
  readonly baseFee: bigint | null
}

/** Null for a block that the node does not have, or that has no place in its chain. */
export function blockOf(answer: unknown): Block | null {
  const { number, hash, timestamp, baseFeePerGas } = memberOf(answer, "a block") ?? {}
  if (number === undefined || number === null || hash === null) return null
  return {
    number: quantityOf(number),
    hash: hexOf(hash),
    time: Number(quantityOf(timestamp)),
    baseFee: baseFeePerGas === undefined || baseFeePerGas === null ? null : quantityOf(baseFeePerGas),
  }
}

/** Null for a transaction that is not mined. */
export function receiptOf(answer: unknown): Receipt | null {
  const receipt = memberOf(answer, "a receipt")
  if (!receipt || receipt.blockNumber === null) return null
  return {
    transactionHash: hexOf(receipt.transactionHash),
    blockNumber: quantityOf(receipt.blockNumber),
    blockHash: hexOf(receipt.blockHash),
    success: quantityOf(receipt.status) === 1n,
    gasUsed: quantityOf(receipt.gasUsed),
    logs: listOf(receipt.logs, "a list of logs").map(logOf),
  }
}

/** Without the logs that have no place in the node's chain yet. */
export const locatedLogsOf = (answer: unknown): readonly LocatedLog[] =>
  listOf(answer, "a list of logs").flatMap((each) => {
    const log = memberOf(each, "a log") ?? {}
    if (!log.transactionHash || !log.blockNumber || !log.blockHash || !log.logIndex) return []
    return [
      {
        ...logOf(log),
        transactionHash: hexOf(log.transactionHash),
        blockNumber: quantityOf(log.blockNumber),
        blockHash: hexOf(log.blockHash),
      },
    ]
  })

function logOf(answer: unknown): Receipt["logs"][number] {
  const { address, topics, data, logIndex } = memberOf(answer, "a log") ?? {}
  return {
    address: lowerAddress(hexOf(address)),
    topics: listOf(topics, "a list of topics").map(hexOf),
    data: hexOf(data),
    logIndex: Number(quantityOf(logIndex)),
  }
}

type Members = { readonly [name: string]: unknown }

/** Null for null, by which a node says that it has no such thing. */
export function memberOf(answer: unknown, wanted: string): Members | null {
  if (typeof answer !== "object" || Array.isArray(answer)) throw new MalformedAnswer(wanted)
  return answer as Members | null
}

function listOf(answer: unknown, wanted: string): readonly unknown[] {
  if (!Array.isArray(answer)) throw new MalformedAnswer(wanted)
  return answer
}
