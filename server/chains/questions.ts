/** Puts questions to one node, one function a question, and reads its answers. */
import { decodeAbiParameters, encodeDeployData, numberToHex, zeroHash } from "viem"
import { pausedSelector } from "../../shared/schemes/erc20.ts"
import type { Address, Hex } from "../../shared/values/evm.ts"
import { most } from "../core/fees.ts"
import type { TransferReading } from "../core/verdict.ts"
import type { Fees, Receipt, SendResult, SimulatedCall, TransferQuery } from "../ports/chain.ts"
import { blockOf, hexOf, memberOf, quantityOf, receiptOf } from "./answers.ts"
import { intakeReadAbi, intakeReadCode, intakeReadResult } from "./contracts/intake-read.ts"
import { MalformedAnswer, type RpcClient } from "./json-rpc.ts"
import { isRefusal, isRevert, isTrouble, sendResultOf } from "./node-errors.ts"
import type { Question, Reading } from "./nodes.ts"
import { isDevelopmentClient } from "./well-known.ts"

export const domainSeparatorOf =
  (asset: Address): Question<Hex> =>
  async (client) => {
    try {
      // DOMAIN_SEPARATOR()
      return { value: await call(client, "0x3644e515", asset) }
    } catch (error) {
      if (isRevert(error)) return { value: "0x" }
      throw error
    }
  }

export const isDevelopment: Question<boolean> = async (client) => ({
  value: isDevelopmentClient(String(await client.request("web3_clientVersion"))),
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
        payerCode: payerCode === zeroHash ? null : payerCode,
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
  const { number, hash, time } = await newestBlock(client)
  return { value: { number, hash, time }, block: number }
}

export const blockHash =
  (number: bigint): Question<Hex | null> =>
  async (client) => {
    const block = await client.request("eth_getBlockByNumber", [numberToHex(number), false])
    const hash = memberOf(block, "a block")?.hash
    return hash ? { value: hexOf(hash) } : absent(client)
  }

/** Finds blocks that lost their number in the node's index, and blocks of abandoned branches. */
export const blockNumberOf =
  (hash: Hex): Question<bigint | null> =>
  async (client) => {
    const block = await client.request("eth_getBlockByHash", [hash, false])
    const number = memberOf(block, "a block")?.number
    return number ? { value: quantityOf(number) } : absent(client)
  }

export const blockTime =
  (hash: Hex): Question<number | null> =>
  async (client) => {
    const block = await client.request("eth_getBlockByHash", [hash, false])
    const time = memberOf(block, "a block")?.timestamp
    return time ? { value: Number(quantityOf(time)) } : absent(client)
  }

export const finalized =
  (finalityBlocks: number): Question<bigint> =>
  async (client) => {
    const final = await newestFinal(client)
    if (final) return { value: final.number }
    const newest = await newestNumber(client)
    const depth = BigInt(finalityBlocks)
    return { value: newest > depth ? newest - depth : 0n, block: newest }
  }

/** Null when no block is final yet, or when the node refuses the tag, in any wording. */
async function newestFinal(client: RpcClient) {
  try {
    return blockOf(await client.request("eth_getBlockByNumber", ["finalized", false]))
  } catch (error) {
    if (isRefusal(error)) return null
    throw error
  }
}

export const nonceOf =
  (address: Address): Question<number> =>
  async (client) => ({
    value: Number(quantityOf(await client.request("eth_getTransactionCount", [address, "latest"]))),
  })

export const gasBalance =
  (address: Address): Question<bigint> =>
  async (client) => ({ value: quantityOf(await client.request("eth_getBalance", [address, "latest"])) })

/** Leaves room for the base fee to double, which takes at least six full blocks (EIP-1559). */
export const fees: Question<Fees> = async (client) => {
  const [{ baseFee }, suggestion] = await Promise.all([newestBlock(client), suggestedTip(client)])
  if (baseFee === null) throw new MalformedAnswer("a block with a base fee")
  const maxPriorityFeePerGas = suggestion ?? (await tipOfGasPrice(client, baseFee))
  return { value: { maxFeePerGas: baseFee * 2n + maxPriorityFeePerGas, maxPriorityFeePerGas } }
}

/** Null from a node that refuses `eth_maxPriorityFeePerGas`, which no standard asks for. */
async function suggestedTip(client: RpcClient): Promise<bigint | null> {
  try {
    return quantityOf(await client.request("eth_maxPriorityFeePerGas"))
  } catch (error) {
    if (isTrouble(error)) throw error
    return null
  }
}

/** The gas price that a node suggests has the base fee in it. */
const tipOfGasPrice = async (client: RpcClient, baseFee: bigint): Promise<bigint> =>
  most(quantityOf(await client.request("eth_gasPrice")) - baseFee, 0n)

export const estimateGas =
  (transaction: { from: Address; to: Address; data: Hex }): Question<bigint | null> =>
  async (client) => {
    try {
      return { value: quantityOf(await client.request("eth_estimateGas", [transaction])) }
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
      return { value: hexOf(await client.request("eth_call", [transaction, "latest"])) }
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
      const question = { to: asset, data: pausedSelector }
      const answer = await client.request("eth_call", [question, numberToHex(blockNumber)])
      return { value: /^0x0{63}1$/.test(hexOf(answer)) }
    } catch (error) {
      if (isRefusal(error)) return { value: false }
      throw error
    }
  }

export const hasCode =
  (address: Address): Question<boolean> =>
  async (client) => ({ value: hexOf(await client.request("eth_getCode", [address, "latest"])) !== "0x" })

export const send =
  (raw: Hex): Question<SendResult> =>
  async (client) => {
    try {
      await client.request("eth_sendRawTransaction", [raw])
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
    const found = receiptOf(await client.request("eth_getTransactionReceipt", [hash]))
    return found ? { value: found } : absent(client)
  }

/** Reports the newest block with an absence, because a node that lags lacks newer facts. */
async function absent(client: RpcClient): Promise<Reading<null>> {
  return { value: null, block: await newestNumber(client) }
}

const newestNumber = async (client: RpcClient): Promise<bigint> =>
  quantityOf(await client.request("eth_blockNumber"))

async function newestBlock(client: RpcClient) {
  const block = blockOf(await client.request("eth_getBlockByNumber", ["latest", false]))
  if (!block) throw new MalformedAnswer("a block")
  return block
}

const call = async (client: RpcClient, data: Hex, to?: Hex): Promise<Hex> =>
  // Not `pending`: exposure counts rows as pending after block N, which must be a mined block.
  hexOf(await client.request("eth_call", [to ? { to, data } : { data }, "latest"]))
