/**
 * A settlement on a chain that mines on request, with any number of payments; for tests of the worker's
 * steps.
 */
import { encodeFunctionData, numberToHex } from "viem"
import { generatePrivateKey } from "viem/accounts"
import { createEvmChain } from "../../server/chains/evm.ts"
import { createRelayer } from "../../server/chains/relayer.ts"
import type { Redemption } from "../../server/core/redemption.ts"
import type { InFlight, RedeemOrder } from "../../server/ports/records.ts"
import type { Logger } from "../../server/ports/runtime.ts"
import { createSettlement, type Settlement, type SettlementDeps } from "../../server/settlement/settlement.ts"
import { openStore } from "../../server/stores/index.ts"
import { domainOf } from "../../shared/networks/network.ts"
import { sepolia } from "../../shared/networks/sepolia.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import { type Hex, lowerAddress } from "../../shared/values/evm.ts"
import type { LocalChain } from "./chain/local-chain.ts"
import { testUsdc } from "./contracts/artifacts/test-usdc.ts"
import { orderOf } from "./orders.ts"
import { type Account, randomAccount, randomHex32 } from "./payments.ts"

const [usdc] = sepolia.assets
const asset = lowerAddress(usdc.address)

export const price = 10_000n

export type Sale = { readonly key: string; readonly payer: Hex; readonly account: Account }
export type SettlementRig = Awaited<ReturnType<typeof openSettlementRig>>

/** `node` must not mine on its own. Every rig has its own store, relayer and payTo. */
export async function openSettlementRig(node: LocalChain) {
  const chain = createEvmChain({ network: sepolia, assets: sepolia.assets, rpcUrls: [node.rpcUrl] })
  const relayer = createRelayer(generatePrivateKey())
  const payTo = lowerAddress(randomAccount().address)
  const minter = lowerAddress(randomAccount().address)
  const store = await openStore("memory:")
  const logged: string[] = []
  let clock = (await chain.head()).time
  const lease = await store.lease({ holder: "test", seconds: 1_000_000, now: clock })
  if (!lease) throw new Error("another holder has the lease")
  const { fence } = lease
  await node.fund(relayer.address)
  await node.fund(minter)
  await node.request("anvil_impersonateAccount", [minter])

  const record = (_fields: Record<string, unknown>, message: string) => void logged.push(message)
  const log: Logger = { debug: () => {}, info: () => {}, warn: record, error: record }

  const open = (
    change: Partial<SettlementDeps> = {},
    limits: Parameters<typeof createSettlement>[1] = {},
  ): Settlement =>
    createSettlement(
      {
        store,
        chain,
        relayers: [relayer],
        confirmations: 1,
        failedGasBudget: 3_000_000n,
        now: () => clock,
        chance: () => 0,
        log,
        ...change,
      },
      limits,
    )
  const ofAsset = (functionName: "mint" | "transfer" | "balanceOf", args: readonly unknown[]): Hex =>
    encodeFunctionData({ abi: testUsdc.abi, functionName, args } as never)
  const mine = (blocks = 1) => node.request("anvil_mine", [numberToHex(blocks)])
  const send = (from: Hex, data: Hex) =>
    node.request("eth_sendTransaction", [{ from, to: asset, data, gas: numberToHex(200_000) }])

  /** A sale a moment ago; default: for settlement in the background. */
  async function redeem(account: Account, order: Partial<RedeemOrder> = {}): Promise<Sale> {
    const payer = lowerAddress(account.address)
    const terms = {
      payer,
      payTo,
      value: price,
      validAfter: 0n,
      validBefore: BigInt(clock + 300),
      nonce: randomHex32(),
    }
    const transfer = { ...terms, signature: await exactEip3009.sign(terms, domainOf(sepolia, usdc), account) }
    const key = exactEip3009.redemptionKey(sepolia.chainId, asset, transfer)
    const { number } = await chain.head()
    const outcome = await store.redeem(
      orderOf({
        key,
        network: sepolia.id,
        asset,
        payer,
        transfer,
        now: clock,
        intake: { blockNumber: number, balance: price * 1000n, payerCode: null },
        ...order,
      }),
    )
    if (outcome.kind !== "redeemed") throw new Error(`not redeemed: ${outcome.kind}`)
    return { key, payer, account }
  }

  async function redeemAll(accounts: readonly Account[]): Promise<readonly Sale[]> {
    const sales: Sale[] = []
    for (const account of accounts) sales.push(await redeem(account))
    return sales
  }

  /** New payers, each with the price of one payment; mines a block. */
  async function payers(count: number): Promise<readonly Account[]> {
    const accounts = Array.from({ length: count }, randomAccount)
    for (const { address } of accounts) await send(minter, ofAsset("mint", [address, price]))
    await mine()
    return accounts
  }

  return {
    node,
    chain,
    store,
    relayer,
    fence,
    asset,
    payTo,
    logged,
    open,
    mine,
    redeem,
    advanceClock(seconds: number) {
      clock += seconds
    },
    payers: payers,
    /** One payment by each of this many new payers, who then have no balance left. */
    async sell(count: number): Promise<readonly Sale[]> {
      return redeemAll(await payers(count))
    },
    redeemAll,
    /** Empties a payer's balance by a transaction before the relayer's next one. */
    async emptyBalance({ payer }: Sale): Promise<void> {
      await node.request("anvil_impersonateAccount", [payer])
      await node.fund(payer)
      await send(payer, ofAsset("transfer", [minter, price]))
      await mine()
    },
    async refill({ payer }: Sale): Promise<void> {
      await send(minter, ofAsset("mint", [payer, price]))
      await mine()
    },
    /** Works until only another block or a later time allows further steps. */
    async settleAll(by: Settlement): Promise<void> {
      while ((await by.advance(fence)).busy);
    },
    async row({ key }: Sale): Promise<Redemption> {
      const found = await store.recall({ key })
      if (!found) throw new Error("there is no such redemption")
      return found.redemption
    },
    inFlight: (): Promise<readonly InFlight[]> => store.inFlight({ fence, network: sepolia.id }),
    async received(): Promise<bigint> {
      const call = { to: asset, data: ofAsset("balanceOf", [payTo]) }
      return BigInt((await node.request("eth_call", [call])) as Hex)
    },
    /** Pauses the asset for everybody, or ends the pause, before our transactions of the next block. */
    async switchAsset(functionName: "pause" | "unpause"): Promise<void> {
      const data = encodeFunctionData({ abi: testUsdc.abi, functionName })
      const tip = {
        maxFeePerGas: numberToHex(100_000_000_000n),
        maxPriorityFeePerGas: numberToHex(50_000_000_000n),
      }
      await node.request("eth_sendTransaction", [{ from: minter, to: asset, data, ...tip }])
      await mine()
    },
    /** Blocks an account, or ends that; mines a block. */
    async blacklist(account: Hex, on = true): Promise<void> {
      const functionName = on ? "blacklist" : "unBlacklist"
      await send(minter, encodeFunctionData({ abi: testUsdc.abi, functionName, args: [account] }))
      await mine()
    },
    /** A stranger calls the asset; mines a block. */
    async sendToAsset(data: Hex): Promise<void> {
      await send(minter, data)
      await mine()
    },
    setCode: (address: Hex, code: Hex) => node.request("anvil_setCode", [address, code]),
  }
}
