/** What a chain does to a payment on its way: blocks that go away, fees that leap, transactions that vanish, assets that refuse. */
import { readFile } from "node:fs/promises"
import { setTimeout as delay } from "node:timers/promises"
import { encodeFunctionData, parseAbi } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import type { Hex } from "../../shared/values/evm.ts"
import type { Account } from "../support/payments.ts"
import type { Purchase } from "../support/service.ts"
import type { Lane } from "./lane.ts"
import { cancelCall, sendByStranger, signCall } from "./strangers.ts"

export type Sold = { readonly customer: Account; readonly purchase: Purchase }

export type ChainFault = {
  readonly name: string
  /** Blocks after the sale at which it strikes. */
  readonly after: readonly number[]
  /** False when "settled" may have been said of a block that goes away, because it was deep enough. */
  readonly isFinal: boolean
  /** The invariant that the fault itself breaks, by its number. */
  readonly breaks?: string
  act(lane: Lane, sold: readonly Sold[]): Promise<void>
}

/** Of the services these are done to. */
export const depth = 3

const whenever = [0, 1, 2, 3, 4, 5]
const ms = (worldSeconds: number) => delay(worldSeconds * 100)

const fault = (name: string, act: ChainFault["act"], more: Partial<ChainFault> = {}): ChainFault => ({
  name,
  after: whenever,
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
  ...[1, 2].map((blocks) => fault(`reorg of ${blocks}`, ({ world }) => world.reorg(blocks))),
  fault("reorg deeper than was waited for", ({ world }) => world.reorg(depth + 2), {
    isFinal: false,
    after: [2, 5, 8],
  }),
  fault("reorg in which the cancel wins", async ({ world }, sold) => {
    const [first] = sold
    if (!first) return
    const data = await cancelCall(world, first.customer, first.purchase.transfer.nonce)
    await world.reorg(2, [[await signCall(world, data), 0]])
  }),
  ...[50, 900].map((gwei) =>
    fault(`base fee of ${gwei} gwei`, async ({ world }) => {
      await world.chain.request("anvil_setNextBlockBaseFeePerGas", [`0x${(gwei * 1e9).toString(16)}`])
    }),
  ),
  fault("transactions dropped", async ({ world }) => {
    await world.chain.request("anvil_dropAllTransactions")
  }),
  fault(
    "no block for a minute",
    async ({ world }) => {
      world.mining.hold()
      await ms(60)
      world.mining.go()
    },
    { after: [0, 1, 3] },
  ),
  fault(
    "no block for a minute, and the pool forgets",
    async ({ world }) => {
      world.mining.hold()
      await ms(30)
      await world.chain.request("anvil_dropAllTransactions")
      await ms(30)
      world.mining.go()
    },
    { after: [0, 1] },
  ),
  fault("time leaps five minutes", async ({ world }) => world.leap(300)),
  // Longer than any payment is valid, shorter than what was bought.
  fault("time leaps half an hour", async ({ world }) => world.leap(1800)),
  fault("code at the payer", async ({ world }, sold) => {
    for (const { customer } of sold.slice(0, 2))
      await world.chain.request("anvil_setCode", [customer.address, `0xef0100${"ab".repeat(20)}`])
  }),
  fault("purse emptied", async ({ world }, sold) => {
    for (const { customer } of sold.slice(0, 2))
      await world.chain.request("anvil_setERC20Balance", [customer.address, world.chain.asset, "0x0"])
  }),
  fault("asset paused for a while", async ({ world }) => {
    await sendByStranger(world, pausing("pause"))
    await ms(20)
    await sendByStranger(world, pausing("unpause"))
  }),
  fault(
    "asset paused until all has expired",
    async ({ world }) => {
      await sendByStranger(world, pausing("pause"))
      world.leap(900)
      await ms(20)
      await sendByStranger(world, pausing("unpause"))
    },
    { after: [0, 1] },
  ),
  fault("silent asset and a cancelled authorization", async ({ world }, sold) => {
    const silent = (on: boolean) =>
      encodeFunctionData({ abi: adminAbi, functionName: "setSilent", args: [on] })
    await sendByStranger(world, silent(true))
    for (const { customer, purchase } of sold.slice(0, 1))
      await sendByStranger(world, await cancelCall(world, customer, purchase.transfer.nonce)).catch(() => {
        // Too late: it is used.
      })
    await ms(20)
    await sendByStranger(world, silent(false))
  }),
  fault("payer blacklisted", async ({ world }, sold) => {
    for (const { customer } of sold.slice(0, 2))
      await sendByStranger(
        world,
        encodeFunctionData({ abi: adminAbi, functionName: "blacklist", args: [customer.address] }),
      )
  }),
  fault("relayer without gas for a while", async ({ world, service }) => {
    await world.chain.fund(service.issuer.relayer, 0n)
    await ms(20)
    await world.chain.fund(service.issuer.relayer)
  }),
  fault(
    "relayer's nonce used elsewhere",
    async ({ world, service }) => {
      const file = service.config.relayer?.privateKeyFile
      const key = (await readFile(String(file), "utf8")).trim()
      const relayer = privateKeyToAccount((key.startsWith("0x") ? key : `0x${key}`) as Hex)
      const nonce = Number(await world.chain.request("eth_getTransactionCount", [relayer.address, "latest"]))
      const raw = await relayer.signTransaction({
        type: "eip1559",
        chainId: world.chain.chainId,
        nonce,
        to: relayer.address,
        gas: 21_000n,
        maxFeePerGas: 1_000_000_000_000n,
        maxPriorityFeePerGas: 200_000_000_000n,
      })
      // The pool may hold a transaction of the service with this nonce and refuse ours: then nothing was used.
      await world.chain.request("eth_sendRawTransaction", [raw]).catch(() => undefined)
    },
    { breaks: "I5" },
  ),
]
