/** Puts questions to one node, one function a question, and reads its answers. */
import {
  BlockNotFoundError,
  decodeAbiParameters,
  encodeDeployData,
  numberToHex,
  TransactionReceiptNotFoundError,
  zeroHash,
} from "viem"
import { pausedSelector } from "../../shared/schemes/erc20.ts"
import { type Address, type Hex, lowerAddress } from "../../shared/values/evm.ts"
import type { TransferReading } from "../core/verdict.ts"
import type { Fees, Receipt, SendResult, SimulatedCall, TransferQuery } from "../ports/chain.ts"
import { intakeReadAbi, intakeReadCode, intakeReadResult } from "./contracts/intake-read.ts"
import type { NodeClient } from "./node.ts"
import { causes, isRefusal, isRevert, MalformedAnswer, sendResultOf } from "./node-errors.ts"
import type { Question, Reading } from "./nodes.ts"
import { isDevelopmentClient } from "./well-known.ts"

export const domainSeparatorOf =
  (asset: Address): Question<Hex> =>
  async (client) => {
    try {
      // DOMAIN_SEPARATOR()
      return { value: lower(await call(client, "0x3644e515", asset)) }
    } catch (error) {
      if (isRevert(error)) return { value: "0x" }
      throw error
    }
  }

export const isDevelopment: Question<boolean> = async (client) => ({
  value: isDevelopmentClient(await client.request({ method: "web3_clientVersion" })),
})

export const readTransfer =
  ({ scheme, asset, transfer }: TransferQuery): Question<TransferReading> =>
  async (client) => {
    const { payer, payTo } = transfer
    const [used, settlement] = [scheme.usedCall(asset, transfer), scheme.settlementCall(asset, transfer)]
    const data = encodeDeployData({
      abi: intakeReadAbi,
      bytecode: intakeReadCode,
      args: [asset, payer, payTo, used, settlement],
    })
    const [payerCode, balance, usedWord, transferred, received, blockNumber, blockTime] = decodeAbiParameters(
      intakeReadResult,
      await call(client, data),
    )
    return {
      value: {
        payerCode: payerCode === zeroHash ? null : lower(payerCode),
        balance,
        used: scheme.isUsed(usedWord, transfer),
        transferred,
        received,
        blockNumber,
        blockTime: Number(blockTime),
      },
      block: blockNumber,
    }
  }

export const head: Question<{ number: bigint; hash: Hex; time: number }> = async (client) => {
  const { number, hash, timestamp } = await client.getBlock({ blockTag: "latest" })
  return { value: { number, hash: lower(hash), time: Number(timestamp) }, block: number }
}

export const blockHash =
  (number: bigint): Question<Hex | null> =>
  async (client) => {
    const block = await client.request({
      method: "eth_getBlockByNumber",
      params: [numberToHex(number), false],
    })
    return block?.hash ? { value: lower(block.hash) } : absent(client)
  }

/** Finds blocks that lost their number in the node's index, and blocks of abandoned branches. */
export const blockNumberOf =
  (hash: Hex): Question<bigint | null> =>
  async (client) => {
    const block = await client.request({ method: "eth_getBlockByHash", params: [hash, false] })
    return block?.number ? { value: quantityOf(block.number) } : absent(client)
  }

export const finalized =
  (finalityBlocks: number): Question<bigint> =>
  async (client) => {
    try {
      return { value: (await client.getBlock({ blockTag: "finalized" })).number }
    } catch (error) {
      if (!knowsNoTag(error)) throw error
      const newest = await client.getBlockNumber({ cacheTime: 0 })
      const depth = BigInt(finalityBlocks)
      return { value: newest > depth ? newest - depth : 0n, block: newest }
    }
  }

/** No block is final yet, or the node refuses the tag, in any wording. */
const knowsNoTag = (error: unknown): boolean =>
  causes(error).some((cause) => cause instanceof BlockNotFoundError) || isRefusal(error)

export const nonceOf =
  (address: Address): Question<number> =>
  async (client) => ({ value: await client.getTransactionCount({ address, blockTag: "latest" }) })

export const gasBalance =
  (address: Address): Question<bigint> =>
  async (client) => ({ value: await client.getBalance({ address, blockTag: "latest" }) })

export const fees: Question<{ maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }> = async (client) => {
  const { maxFeePerGas, maxPriorityFeePerGas } = await client.estimateFeesPerGas({ type: "eip1559" })
  return { value: { maxFeePerGas, maxPriorityFeePerGas } }
}

export const estimateGas =
  (transaction: { from: Address; to: Address; data: Hex }): Question<bigint | null> =>
  async (client) => {
    try {
      return {
        value: quantityOf(await client.request({ method: "eth_estimateGas", params: [transaction] })),
      }
    } catch (error) {
      if (isRevert(error)) return { value: null }
      throw error
    }
  }

export const dryRun =
  ({ from, to, data, gas, fees }: SimulatedCall): Question<Hex | null> =>
  async (client) => {
    try {
      const transaction = { from, to, data, gas: numberToHex(gas), ...(fees && hexFees(fees)) }
      return { value: hexOf(await client.request({ method: "eth_call", params: [transaction, "latest"] })) }
    } catch (error) {
      if (isRevert(error)) return { value: null }
      throw error
    }
  }

const hexFees = ({ maxFeePerGas, maxPriorityFeePerGas }: Fees) => ({
  maxFeePerGas: numberToHex(maxFeePerGas),
  maxPriorityFeePerGas: numberToHex(maxPriorityFeePerGas),
})

/** Whether the asset was paused as of a block; false for an asset without such a switch. */
export const wasPaused =
  (asset: Address, blockNumber: bigint): Question<boolean> =>
  async (client) => {
    try {
      const params = [{ to: asset, data: pausedSelector }, numberToHex(blockNumber)] as const
      const answer = await client.request({ method: "eth_call", params: [...params] })
      return { value: /^0x0{63}1$/.test(answer) }
    } catch (error) {
      if (isRefusal(error)) return { value: false }
      throw error
    }
  }

export const hasCode =
  (address: Address): Question<boolean> =>
  async (client) => ({ value: ((await client.getCode({ address })) ?? "0x") !== "0x" })

export const send =
  (raw: Hex): Question<SendResult> =>
  async (client) => {
    try {
      await client.request({ method: "eth_sendRawTransaction", params: [raw] })
      return { value: "taken" }
    } catch (error) {
      const value = sendResultOf(error)
      if (value) return { value }
      throw error
    }
  }

export const receipt =
  (hash: Hex): Question<Receipt | null> =>
  async (client) => {
    try {
      const found = await client.getTransactionReceipt({ hash })
      return {
        value: {
          transactionHash: lower(found.transactionHash),
          blockNumber: found.blockNumber,
          blockHash: lower(found.blockHash),
          success: found.status === "success",
          gasUsed: found.gasUsed,
          logs: found.logs.map((log) => ({
            address: lowerAddress(log.address),
            topics: log.topics.map(lower),
            data: lower(log.data),
            logIndex: log.logIndex,
          })),
        },
      }
    } catch (error) {
      if (error instanceof TransactionReceiptNotFoundError) return absent(client)
      throw error
    }
  }

/** Reports the newest block with an absence, because a node that lags lacks newer facts. */
async function absent(client: NodeClient): Promise<Reading<null>> {
  return { value: null, block: await client.getBlockNumber({ cacheTime: 0 }) }
}

const call = (client: NodeClient, data: Hex, to?: Hex): Promise<Hex> =>
  // Not `pending`: exposure counts rows as pending after block N, which must be a mined block.
  client.request({ method: "eth_call", params: [to ? { to, data } : { data }, "latest"] })

function hexOf(answer: unknown): Hex {
  if (typeof answer !== "string" || !/^0x[0-9a-fA-F]*$/.test(answer)) throw new MalformedAnswer("hex")
  return answer as Hex
}

/** `BigInt` alone would read many shapes as 0. */
function quantityOf(answer: unknown): bigint {
  const hex = hexOf(answer)
  if (hex === "0x") throw new MalformedAnswer("a quantity")
  return BigInt(hex)
}

const lower = (hex: Hex): Hex => hex.toLowerCase() as Hex
