/**
 * Faults of a chain that can hit a payment in flight: reorgs, fee spikes, lost transactions, and refusals by
 * the asset.
 */
import { readFile } from "node:fs/promises"
import { setTimeout as delay } from "node:timers/promises"
import { encodeFunctionData, parseAbi } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import type { Hex } from "../../shared/values/evm.ts"
import { cancelCall } from "../support/cancel.ts"
import type { Account } from "../support/payments.ts"
import type { Purchase } from "../support/service.ts"
import type { Lane } from "./lane.ts"
import { sendByThirdParty, signCall } from "./third-party.ts"

export type Sold = { readonly customer: Account; readonly purchase: Purchase }

export type ChainFault = {
  readonly name: string
  /** The number of blocks after the sale at which the fault happens. */
  readonly after: readonly number[]
  /**
   * False if the service may have reported "settled" from a block that the fault removes, because the reorg
   * is deeper than the configured confirmations.
   */
  readonly isFinal: boolean
  /** Number of the invariant that the fault itself breaks. */
  readonly breaks?: string
  act(lane: Lane, sold: readonly Sold[]): Promise<void>
}

/** Confirmations of the services that these faults are injected into. */
export const depth = 3

const anyBlock = [0, 1, 2, 3, 4, 5]
const waitChainSeconds = (worldSeconds: number) => delay(worldSeconds * 100)

const fault = (name: string, act: ChainFault["act"], more: Partial<ChainFault> = {}): ChainFault => ({
  name,
  after: anyBlock,
  isFinal: true,
  act,
  ...more,
})

const adminAbi = parseAbi([
  "function pause()",
  "function unpause()",
  "function blacklist(address account)",
  "function unBlacklist(address account)",
  "function setSilent(bool on)",
])

const pausing = (functionName: "pause" | "unpause"): Hex =>
  encodeFunctionData({ abi: adminAbi, functionName })

export const chainFaults: readonly ChainFault[] = [
  ...[1, 2].map((blocks) => fault(`reorg of ${blocks}`, ({ fastChain }) => fastChain.reorg(blocks))),
  fault("reorg deeper than the confirmations", ({ fastChain }) => fastChain.reorg(depth + 2), {
    isFinal: false,
    after: [2, 5, 8],
  }),
  fault("reorg that includes a cancellation", async ({ fastChain }, sold) => {
    const [first] = sold
    if (!first) return
    const data = await cancelCall(fastChain, first.customer, first.purchase.transfer.nonce)
    await fastChain.reorg(2, [[await signCall(fastChain, data), 0]])
  }),
  ...[50, 900].map((gwei) =>
    fault(`base fee of ${gwei} gwei`, async ({ fastChain }) => {
      await fastChain.chain.request("anvil_setNextBlockBaseFeePerGas", [`0x${(gwei * 1e9).toString(16)}`])
    }),
  ),
  fault("transactions dropped", async ({ fastChain }) => {
    await fastChain.chain.request("anvil_dropAllTransactions")
  }),
  fault(
    "no block for a minute",
    async ({ fastChain }) => {
      fastChain.mining.hold()
      await waitChainSeconds(60)
      fastChain.mining.go()
    },
    { after: [0, 1, 3] },
  ),
  fault(
    "no block for a minute, then an empty mempool",
    async ({ fastChain }) => {
      fastChain.mining.hold()
      await waitChainSeconds(30)
      await fastChain.chain.request("anvil_dropAllTransactions")
      await waitChainSeconds(30)
      fastChain.mining.go()
    },
    { after: [0, 1] },
  ),
  fault("clock jumps five minutes ahead", async ({ fastChain }) => fastChain.leap(300)),
  // Longer than any payment is valid, shorter than the access that was bought.
  fault("clock jumps half an hour ahead", async ({ fastChain }) => fastChain.leap(1800)),
  fault("code at the payer", async ({ fastChain }, sold) => {
    for (const { customer } of sold.slice(0, 2))
      await fastChain.chain.request("anvil_setCode", [customer.address, `0xef0100${"ab".repeat(20)}`])
  }),
  fault("balance emptied", async ({ fastChain }, sold) => {
    for (const { customer } of sold.slice(0, 2))
      await fastChain.chain.request("anvil_setERC20Balance", [customer.address, fastChain.chain.asset, "0x0"])
  }),
  fault("asset paused for a while", async ({ fastChain }) => {
    await sendByThirdParty(fastChain, pausing("pause"))
    await waitChainSeconds(20)
    await sendByThirdParty(fastChain, pausing("unpause"))
  }),
  fault(
    "asset paused until all payments have expired",
    async ({ fastChain }) => {
      await sendByThirdParty(fastChain, pausing("pause"))
      fastChain.leap(900)
      await waitChainSeconds(20)
      await sendByThirdParty(fastChain, pausing("unpause"))
    },
    { after: [0, 1] },
  ),
  fault("silent asset and a cancelled authorization", async ({ fastChain }, sold) => {
    const silent = (on: boolean) =>
      encodeFunctionData({ abi: adminAbi, functionName: "setSilent", args: [on] })
    await sendByThirdParty(fastChain, silent(true))
    for (const { customer, purchase } of sold.slice(0, 1))
      await sendByThirdParty(fastChain, await cancelCall(fastChain, customer, purchase.transfer.nonce)).catch(
        () => {
          // Too late: it is used.
        },
      )
    await waitChainSeconds(20)
    await sendByThirdParty(fastChain, silent(false))
  }),
  fault("payer blacklisted", async ({ fastChain }, sold) => {
    for (const { customer } of sold.slice(0, 2))
      await sendByThirdParty(
        fastChain,
        encodeFunctionData({ abi: adminAbi, functionName: "blacklist", args: [customer.address] }),
      )
  }),
  fault("relayer without gas for a while", async ({ fastChain, service }) => {
    await fastChain.chain.fund(service.issuer.relayer, 0n)
    await waitChainSeconds(20)
    await fastChain.chain.fund(service.issuer.relayer)
  }),
  fault(
    "relayer's nonce used elsewhere",
    async ({ fastChain, service }) => {
      const file = service.config.relayer?.privateKeyFile
      const key = (await readFile(String(file), "utf8")).trim()
      const relayer = privateKeyToAccount((key.startsWith("0x") ? key : `0x${key}`) as Hex)
      const nonce = Number(
        await fastChain.chain.request("eth_getTransactionCount", [relayer.address, "latest"]),
      )
      const raw = await relayer.signTransaction({
        type: "eip1559",
        chainId: fastChain.chain.chainId,
        nonce,
        to: relayer.address,
        gas: 21_000n,
        maxFeePerGas: 1_000_000_000_000n,
        maxPriorityFeePerGas: 200_000_000_000n,
      })
      // If the pool holds a transaction of the service with this nonce, it refuses this one, and no nonce is
      // taken.
      await fastChain.chain.request("eth_sendRawTransaction", [raw]).catch(() => undefined)
    },
    { breaks: "I5" },
  ),
]
