import { type Hex as AnyHex, encodeFunctionData, numberToHex } from "viem"
import { generatePrivateKey } from "viem/accounts"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { createEvmChain } from "../../../server/chains/evm.ts"
import { createRelayer } from "../../../server/chains/relayer.ts"
import type { Redemption } from "../../../server/core/redemption.ts"
import { type Chain, ChainMismatch, ChainUnavailable, type Relayer } from "../../../server/ports/chain.ts"
import type { InFlight } from "../../../server/ports/records.ts"
import { Fenced, type Store, StoreUnavailable } from "../../../server/ports/store.ts"
import {
  createSettlement,
  type Settlement,
  type SettlementDeps,
  settlementSteps,
} from "../../../server/settlement/settlement.ts"
import { createWorker } from "../../../server/settlement/worker.ts"
import { openStore } from "../../../server/stores/index.ts"
import { domainOf } from "../../../shared/networks/network.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { exactEip3009 } from "../../../shared/schemes/exact-eip3009.ts"
import type { SignedTransfer } from "../../../shared/schemes/scheme.ts"
import { type Hex, lowerAddress } from "../../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { testUsdc } from "../../support/contracts/artifacts/test-usdc.ts"
import { noLimits } from "../../support/orders.ts"
import { type Account, randomAccount, randomHex32 } from "../../support/payments.ts"

const [usdc] = sepolia.assets
const asset = lowerAddress(usdc.address)
const domain = domainOf(sepolia, usdc)
const value = 10_000n
const funds = 30_000n

let node: LocalChain
let chain: Chain
let store: Store
let relayerKey: Hex
let relayer: Relayer
let settlement: Settlement
let fence: number
let clock: number
let logged: { level: string; message: string; fields: Record<string, unknown> }[]
const payTo = lowerAddress(randomAccount().address)
const outsider = lowerAddress(randomAccount().address)

beforeEach(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  // The test mines every block itself.
  await node.request("evm_setAutomine", [false])
  await node.request("anvil_impersonateAccount", [outsider])
  await node.fund(outsider)
  chain = createEvmChain({ network: sepolia, assets: sepolia.assets, rpcUrls: [node.rpcUrl] })
  relayerKey = generatePrivateKey()
  relayer = createRelayer(relayerKey)
  await node.fund(relayer.address)
  store = await openStore("memory:")
  logged = []
  clock = (await chain.head()).time
  fence = (await store.lease({ holder: "test", seconds: 1_000_000, now: clock }))!.fence
  settlement = open()
})
afterEach(async () => {
  await store.close()
  await node.stop()
})

const logAt = (level: string) => (fields: Record<string, unknown>, message: string) =>
  void logged.push({ level, message, fields })
const log = { debug: logAt("debug"), info: logAt("info"), warn: logAt("warn"), error: logAt("error") }

/** A settlement with fresh memory, as after a restart. */
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

/** Advances until only another block or a later time allows more. */
async function settle(by = settlement): Promise<void> {
  while ((await by.advance(fence)).busy);
}

const mine = (blocks = 1) => node.request("anvil_mine", [numberToHex(blocks)])
const call = (functionName: string, args: readonly unknown[] = []): Hex =>
  encodeFunctionData({ abi: testUsdc.abi, functionName, args } as never)

/** Sends a foreign transaction with a tip that puts it before ours. */
const sendForeign = (data: AnyHex, from: Hex = outsider) =>
  node.request("eth_sendTransaction", [
    {
      from,
      to: asset,
      data,
      gas: numberToHex(300_000),
      maxFeePerGas: numberToHex(100_000_000_000n),
      maxPriorityFeePerGas: numberToHex(50_000_000_000n),
    },
  ]) as Promise<Hex>

async function fundedAccount(): Promise<Account> {
  const account = randomAccount()
  await sendForeign(call("mint", [account.address, funds]))
  await mine()
  return account
}

async function sign(account: Account, change: Partial<SignedTransfer> = {}): Promise<SignedTransfer> {
  const terms = {
    payer: lowerAddress(account.address),
    payTo,
    value,
    validAfter: 0n,
    validBefore: BigInt(clock + 300),
    nonce: randomHex32(),
    ...change,
  }
  return { ...terms, signature: await exactEip3009.sign(terms, domain, account) }
}

type Sale = { readonly key: string; readonly account: Account; readonly transfer: SignedTransfer }

async function sell(account?: Account, scheme = "exact"): Promise<Sale> {
  const payer = account ?? (await fundedAccount())
  const transfer = await sign(payer)
  const reading = await chain.readTransfer({ scheme: exactEip3009, asset, transfer })
  const key = exactEip3009.redemptionKey(sepolia.chainId, asset, transfer)
  const outcome = await store.redeem({
    key,
    grant: {
      id: randomHex32(),
      offer: "hour@00000000",
      scope: "movies:read",
      subject: transfer.payer,
      paid: true,
      startsAt: clock,
      expiresAt: clock + 3600,
      opening: null,
      idempotencyHash: null,
      meter: null,
      keyThumbprint: null,
      resource: null,
      token: { jti: randomHex32(), issuedAt: clock, expiresAt: clock + 60, settled: false },
    },
    network: sepolia.id,
    scheme,
    asset,
    transfer,
    nominal: value,
    settle: true,
    policy: "background",
    retryHash: null,
    blockSeconds: sepolia.blockSeconds,
    intake: reading,
    limits: noLimits,
    now: clock,
  })
  expect(outcome.kind).toBe("redeemed")
  return { key, account: payer, transfer }
}

const row = async ({ key }: Sale): Promise<Redemption> => (await store.recall({ key }))!.redemption
const grantEnd = async ({ key }: Sale) => (await store.recall({ key }))!.grant.ended?.reason ?? null
const inFlight = (): Promise<readonly InFlight[]> => store.inFlight({ fence, network: sepolia.id })
const balanceOf = async (address: Hex): Promise<bigint> =>
  BigInt((await node.request("eth_call", [{ to: asset, data: call("balanceOf", [address]) }])) as Hex)
const transaction = (hash: Hex) => node.request("eth_getTransactionByHash", [hash])
const drop = (hash: Hex) => node.request("anvil_dropTransaction", [hash])

async function cancelCall(account: Account, nonce: Hex): Promise<Hex> {
  const authorizer = account.address
  const signature = await account.signTypedData({
    domain,
    types: {
      CancelAuthorization: [
        { name: "authorizer", type: "address" },
        { name: "nonce", type: "bytes32" },
      ],
    },
    primaryType: "CancelAuthorization",
    message: { authorizer, nonce },
  })
  return encodeFunctionData({
    abi: [
      {
        type: "function",
        name: "cancelAuthorization",
        stateMutability: "nonpayable",
        inputs: [
          { name: "authorizer", type: "address" },
          { name: "nonce", type: "bytes32" },
          { name: "signature", type: "bytes" },
        ],
        outputs: [],
      },
    ],
    args: [authorizer, nonce, signature],
  })
}

/** Moves the account's whole balance away, before our transaction in the same block. */
async function drain(account: Account): Promise<void> {
  await node.request("anvil_impersonateAccount", [account.address])
  await node.fund(account.address)
  await sendForeign(call("transfer", [outsider, funds]), lowerAddress(account.address))
  await mine()
}

/** A block too late for the payment, and the clock past its last check. */
async function passValidity({ transfer }: Sale): Promise<void> {
  clock = Number(transfer.validBefore) + 60
  await node.request("evm_setNextBlockTimestamp", [clock])
  await mine()
}

describe("a payment", () => {
  it("is settled with its Transfer as evidence", async () => {
    const steps: string[] = []
    settlement = open({ onStep: (step) => steps.push(step) })
    const sale = await sell()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "sent", dueAt: null })
    const [sent] = await inFlight()
    expect(sent).toMatchObject({
      transaction: { nonce: 0, state: "broadcast" },
      redemptions: [{ key: sale.key }],
    })
    const hash = sent!.transaction.versions[0]!.hash
    expect(await balanceOf(payTo)).toBe(0n)
    await mine()
    await settle()
    const receipt = (await chain.receipt(hash))!
    expect(await row(sale)).toMatchObject({
      state: "paid",
      evidence: { transactionHash: hash, blockNumber: receipt.blockNumber, blockHash: receipt.blockHash },
    })
    expect(await inFlight()).toEqual([])
    expect(await balanceOf(payTo)).toBe(value)
    expect(await grantEnd(sale)).toBeNull()
    expect(steps).toEqual([...settlementSteps])
    const kinds = (await store.entries({ after: 0, limit: 10 })).map((entry) => entry.kind)
    expect(kinds).toEqual(["redeemed", "settled"])
  })

  it("is mined first and paid at the configured depth", async () => {
    settlement = open({ confirmations: 3 })
    const sale = await sell()
    await settle()
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("mined")
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("mined")
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("paid")
  })

  it("SET-20: is sent on consecutive nonces, and twenty settle in one block", async () => {
    const accounts: Account[] = []
    for (let i = 0; i < 20; i += 1) accounts.push(await fundedAccount())
    const sales: Sale[] = []
    for (const account of accounts) sales.push(await sell(account))
    settlement = open({}, { batchSize: 1 })
    await settle()
    const nonces = (await inFlight()).map(({ transaction }) => transaction.nonce)
    expect(nonces).toEqual(Array.from({ length: 20 }, (_, i) => i))
    await mine()
    await settle()
    for (const sale of sales) expect((await row(sale)).state).toBe("paid")
    expect(await balanceOf(payTo)).toBe(20n * value)
  })

  it("waits while the maximum of transactions is in flight", async () => {
    settlement = open({}, { maxInFlight: 2, batchSize: 1 })
    const account = await fundedAccount()
    for (const _ of [1, 2]) await sendForeign(call("mint", [account.address, funds]))
    await mine()
    const sales: Sale[] = []
    for (let i = 0; i < 6; i += 1) sales.push(await sell(account))
    await settle()
    expect(await inFlight()).toHaveLength(2)
    await mine()
    await settle()
    expect(await inFlight()).toHaveLength(2)
    await settle(open({}, { maxInFlight: 1, batchSize: 1 }))
    expect(await inFlight()).toHaveLength(2)
    await mine()
    await settle()
    await mine()
    await settle()
    for (const sale of sales) expect((await row(sale)).state).toBe("paid")
  })
})

describe("a nonce used outside the service", () => {
  it("SET-12: counts as paid when a third party submits it, without a second transfer", async () => {
    const sale = await sell()
    await settle()
    const foreign = await sendForeign(exactEip3009.settlementCall(asset, sale.transfer).data)
    await mine()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "paid", evidence: { transactionHash: foreign } })
    expect(await balanceOf(payTo)).toBe(value)
    expect(await inFlight()).toEqual([])
    expect(await chain.nonceOf(relayer.address)).toBe(1)
  })

  it("SET-12: causes no transaction when it was submitted before ours", async () => {
    const sale = await sell()
    const foreign = await sendForeign(exactEip3009.settlementCall(asset, sale.transfer).data)
    await mine()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "paid", evidence: { transactionHash: foreign } })
    expect(await chain.nonceOf(relayer.address)).toBe(0)
  })

  it("SET-05: fails the payment and ends the grant when cancelled after acceptance", async () => {
    let ended = 0
    settlement = open({
      onEnded: () => {
        ended += 1
      },
    })
    const sale = await sell()
    await settle()
    await sendForeign(await cancelCall(sale.account, sale.transfer.nonce))
    await mine()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "cancelled", dueAt: null })
    expect(await grantEnd(sale)).toBe("settlement_failed")
    expect(ended).toBe(1)
  })

  it("fails the payment when it was used for another recipient", async () => {
    const sale = await sell()
    const other = await sign(sale.account, { nonce: sale.transfer.nonce, payTo: outsider })
    await sendForeign(exactEip3009.settlementCall(asset, other).data)
    await mine()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "diverted" })
    expect(await balanceOf(payTo)).toBe(0n)
  })

  it("fails the payment when it was used for a smaller value", async () => {
    const sale = await sell()
    const less = await sign(sale.account, { nonce: sale.transfer.nonce, value: 1n })
    await sendForeign(exactEip3009.settlementCall(asset, less).data)
    await mine()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "short" })
  })

  it("SET-13: pays nothing when the asset is silent, although the receipt succeeds", async () => {
    await sendForeign(call("setSilent", [true]))
    const sale = await sell()
    await settle()
    await sendForeign(await cancelCall(sale.account, sale.transfer.nonce))
    await mine()
    const hash = (await inFlight())[0]!.transaction.versions[0]!.hash
    expect((await chain.receipt(hash))?.success).toBe(true)
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "cancelled" })
    expect(await balanceOf(payTo)).toBe(0n)
  })

  it("SET-13: is read before any resend, so that a silent asset costs gas once", async () => {
    await sendForeign(call("setSilent", [true]))
    const sale = await sell()
    await settle()
    await sendForeign(await cancelCall(sale.account, sale.transfer.nonce))
    await mine()
    const lagging = open({ chain: { ...chain, findLogs: async () => [] } })
    for (let round = 0; round < 3; round += 1) {
      await settle(lagging)
      expect(await row(sale)).toMatchObject({ state: "accepted", attempts: round + 1 })
      expect(await inFlight()).toEqual([])
      clock += 61
    }
    expect(await chain.nonceOf(relayer.address)).toBe(1)
  })

  it("SET-28: decides and sends nothing while no log of it is found", async () => {
    const sale = await sell()
    await sendForeign(await cancelCall(sale.account, sale.transfer.nonce))
    await mine()
    const lagging = open({ chain: { ...chain, findLogs: async () => [] } })
    for (let round = 0; round < 20; round += 1) {
      await settle(lagging)
      expect((await row(sale)).state).toBe("accepted")
      clock += 61
    }
    expect(await inFlight()).toEqual([])
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "cancelled" })
  })

  it("SET-32: leaves our failed transaction until its block is deep; it may pay later", async () => {
    settlement = open({ confirmations: 3 })
    const sale = await sell()
    await settle()
    const foreign = await sendForeign(await cancelCall(sale.account, sale.transfer.nonce))
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("sent")
    expect(await inFlight()).toHaveLength(1)
    await node.request("anvil_reorg", [1, []])
    await drop(foreign)
    clock += 15
    await settle()
    await mine(3)
    await settle()
    expect((await row(sale)).state).toBe("paid")
    expect(await chain.nonceOf(relayer.address)).toBe(1)
  })

  it("SET-32: is judged at confirmation depth only", async () => {
    settlement = open({ confirmations: 3 })
    const sale = await sell()
    await sendForeign(await cancelCall(sale.account, sale.transfer.nonce))
    await mine()
    for (const _ of [1, 2]) {
      await settle()
      expect((await row(sale)).state).toBe("accepted")
      await mine()
      clock += 10
    }
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "cancelled" })
  })
})

describe("a transfer whose simulation fails", () => {
  it("SET-02: a drained payer is suspended in the second block, and fails at its end", async () => {
    const sale = await sell()
    await drain(sale.account)
    await settle()
    clock += 60
    await settle()
    expect(await row(sale)).toMatchObject({ state: "accepted" })
    await mine()
    clock += 60
    await settle()
    expect(await row(sale)).toMatchObject({
      state: "suspended",
      failure: "insufficient_funds",
      dueAt: clock + 1,
    })
    expect(await grantEnd(sale)).toBeNull()
    await passValidity(sale)
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "insufficient_funds", dueAt: null })
    expect(await grantEnd(sale)).toBe("settlement_failed")
    expect(await inFlight()).toEqual([])
  })

  it("is suspended when the payer is drained while our transaction is in flight", async () => {
    const sale = await sell()
    await settle()
    await drain(sale.account)
    const { hash } = (await inFlight())[0]!.transaction.versions[0]!
    expect((await chain.receipt(hash))?.success).toBe(false)
    await settle()
    expect(await row(sale)).toMatchObject({ state: "accepted", transactionId: null })
    await mine()
    clock += 1
    await settle()
    expect(await row(sale)).toMatchObject({ state: "suspended", failure: "insufficient_funds" })
    expect(await balanceOf(payTo)).toBe(0n)
  })

  it("recovers when the balance was short for one block", async () => {
    const sale = await sell()
    await drain(sale.account)
    await settle()
    await sendForeign(call("mint", [sale.account.address, funds]))
    await mine()
    clock += 1
    await settle()
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("paid")
  })

  /** A payment that failed although its signature is still valid: its payer got code after the sale. */
  async function sellAndRefuse(): Promise<Sale> {
    const sale = await sell()
    await node.request("anvil_setCode", [sale.account.address, `0xef0100${"11".repeat(20)}`])
    await mine()
    await settle()
    await mine()
    clock += 1
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "contract_payer" })
    await node.request("anvil_setCode", [sale.account.address, "0x"])
    return sale
  }

  it("is never sent after its failure; money that comes resumes its grant", async () => {
    const sale = await sellAndRefuse()
    const { expiresAt } = (await store.recall({ key: sale.key }))!.grant
    expect(await grantEnd(sale)).toBe("settlement_failed")
    const failedAt = clock
    await mine()
    clock = Number(sale.transfer.validBefore) - 10
    await settle()
    expect(await inFlight()).toEqual([])
    await sendForeign(exactEip3009.settlementCall(asset, sale.transfer).data)
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("failed")
    clock = Number(sale.transfer.validBefore) + 60
    await settle()
    expect(await row(sale)).toMatchObject({ state: "paid", failure: "contract_payer", dueAt: null })
    expect(await grantEnd(sale)).toBeNull()
    expect((await store.recall({ key: sale.key }))!.grant.expiresAt).toBe(expiresAt + clock - failedAt)
  })

  it("is not sent when a reorg removes the money that came after its failure", async () => {
    const sale = await sellAndRefuse()
    const before = await node.request("evm_snapshot", [])
    await sendForeign(exactEip3009.settlementCall(asset, sale.transfer).data)
    await mine()
    clock = Number(sale.transfer.validBefore) + 60
    await settle()
    expect((await row(sale)).state).toBe("paid")
    await node.request("evm_revert", [before])
    await node.request("anvil_dropAllTransactions", [])
    await mine(3)
    clock += 10
    await settle()
    clock += 10
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "contract_payer" })
    expect(await grantEnd(sale)).toBe("settlement_failed")
    expect(await inFlight()).toEqual([])
  })

  it("stays failed for good without money until the last check", async () => {
    const sale = await sellAndRefuse()
    await passValidity(sale)
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "contract_payer", dueAt: null })
  })

  it("is retried in a pause of the asset, and suspended in its second block", async () => {
    const patient = await sell()
    await sendForeign(call("pause"))
    await mine()
    await settle()
    await sendForeign(call("unpause"))
    await mine()
    clock += 1
    await settle()
    await mine()
    await settle()
    expect((await row(patient)).state).toBe("paid")

    const blocked = await sell()
    await sendForeign(call("blacklist", [blocked.account.address]))
    await mine()
    for (let round = 0; round < 10; round += 1) {
      await settle()
      clock += 10
      expect((await row(blocked)).state).toBe("accepted")
    }
    await mine()
    await settle()
    expect(await row(blocked)).toMatchObject({ state: "suspended", failure: "refused_by_asset" })
  })

  it("SET-33: expires by the chain's time, not by the local clock", async () => {
    const sale = await sell()
    await sendForeign(call("pause"))
    await mine()
    clock = Number(sale.transfer.validBefore) + 10
    await settle()
    expect((await row(sale)).state).toBe("accepted")
    await node.request("evm_setNextBlockTimestamp", [Number(sale.transfer.validBefore)])
    await mine()
    clock += 60
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "expired", dueAt: null })
  })

  it("expires although its transaction stays in the mempool", async () => {
    const sale = await sell()
    await settle()
    await drop((await inFlight())[0]!.transaction.versions[0]!.hash)
    await node.request("evm_setNextBlockTimestamp", [Number(sale.transfer.validBefore)])
    await mine()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "expired" })
    // The nonce must still be used up.
    clock += 15
    await settle()
    await mine()
    await settle()
    expect(await inFlight()).toEqual([])
    expect(await balanceOf(payTo)).toBe(0n)
  })
})

describe("a transaction in flight", () => {
  it("SET-21: is sent again byte for byte after it was dropped", async () => {
    const sale = await sell()
    await settle()
    const [sent] = await inFlight()
    const { hash } = sent!.transaction.versions[0]!
    await drop(hash)
    expect(await transaction(hash)).toBeNull()
    await settle()
    expect(await transaction(hash)).toBeNull()
    clock += 15
    await settle()
    expect(await transaction(hash)).toMatchObject({ hash })
    expect((await inFlight())[0]!.transaction.versions).toEqual(sent!.transaction.versions)
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("paid")
  })

  it.each(["the first", "the second"])(
    "SET-22: keeps both hashes after a fee bump, and %s may be mined",
    async (which) => {
      const sale = await sell()
      await settle()
      clock += 29
      await settle()
      expect((await inFlight())[0]!.transaction.versions).toHaveLength(1)
      clock += 1
      await settle()
      const { nonce, versions } = (await inFlight())[0]!.transaction
      expect([nonce, versions.length]).toEqual([0, 2])
      const [first, second] = versions
      expect(second!.maxFeePerGas * 8n >= first!.maxFeePerGas * 9n).toBe(true)
      expect(await transaction(second!.hash)).toMatchObject({ hash: second!.hash })
      if (which === "the first") {
        await drop(second!.hash)
        expect(await chain.send(first!.raw)).toBe("taken")
      }
      await mine()
      await settle()
      const mined = which === "the first" ? first : second
      expect(await row(sale)).toMatchObject({ state: "paid", evidence: { transactionHash: mined!.hash } })
      expect(await balanceOf(payTo)).toBe(value)
    },
  )

  it("SET-22: is bumped within the allowed number and fee", async () => {
    settlement = open({}, { maxVersions: 3 })
    await sell()
    for (let round = 0; round < 6; round += 1) {
      await settle()
      clock += 31
    }
    expect((await inFlight())[0]!.transaction.versions).toHaveLength(3)
    const { maxFeePerGas } = (await inFlight())[0]!.transaction.versions[0]!
    const capped = open({}, { maxFeePerGas })
    await settle(capped)
    expect((await inFlight())[0]!.transaction.versions).toHaveLength(3)
  })

  it("SET-16, SET-17: is sent from the stored bytes after a crash before sending", async () => {
    const sale = await sell()
    const failing = { ...chain, send: () => Promise.reject(new ChainUnavailable("gone")) }
    await settle(open({ chain: failing }))
    const stored = (await inFlight())[0]!.transaction
    expect(stored).toMatchObject({ state: "signed", sentAt: null })
    expect(await transaction(stored.versions[0]!.hash)).toBeNull()
    await settle(open())
    expect(await transaction(stored.versions[0]!.hash)).toMatchObject({ hash: stored.versions[0]!.hash })
    await mine()
    await settle(open())
    expect((await row(sale)).state).toBe("paid")
    expect(await balanceOf(payTo)).toBe(value)
    expect(await chain.nonceOf(relayer.address)).toBe(1)
  })

  it("SET-18: is not sent twice after a crash between sending and recording", async () => {
    const sale = await sell()
    const answerLost: Chain = {
      ...chain,
      async send(raw) {
        await chain.send(raw)
        throw new ChainUnavailable("the answer was lost")
      },
    }
    await settle(open({ chain: answerLost }))
    expect((await inFlight())[0]!.transaction.state).toBe("signed")
    await mine()
    await settle(open())
    expect((await row(sale)).state).toBe("paid")
    expect(await chain.nonceOf(relayer.address)).toBe(1)
  })

  it("is abandoned once a foreign one took its nonce, and its payment moves to another", async () => {
    const sale = await sell()
    await settle()
    const [sent] = await inFlight()
    await drop(sent!.transaction.versions[0]!.hash)
    const other = await relayer.sign({
      chainId: sepolia.chainId,
      nonce: 0,
      to: outsider,
      data: "0x",
      gas: 21_000n,
      fees: await chain.fees(),
    })
    await chain.send(other.raw)
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("sent")
    await mine(6)
    await settle()
    expect((await inFlight())[0]!.transaction.nonce).toBe(1)
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("paid")
  })

  it("waits without gas, logs it once, and resumes with gas", async () => {
    const sales = [await sell(), await sell()]
    await node.fund(relayer.address, 0n)
    for (let round = 0; round < 10; round += 1) {
      await settle()
      clock += 5
    }
    const complaints = () => logged.filter(({ message }) => message === "the relayer has no gas")
    expect(complaints()).toHaveLength(1)
    for (const sale of sales) expect((await row(sale)).state).toBe("sent")
    await node.fund(relayer.address)
    clock += 31
    await settle()
    await mine()
    await settle()
    for (const sale of sales) expect((await row(sale)).state).toBe("paid")
    await sell()
    await node.fund(relayer.address, 0n)
    await settle()
    expect(complaints()).toHaveLength(2)
  })
})

describe("a reorg", () => {
  it("returns a mined payment to sent and resends the same bytes", async () => {
    settlement = open({ confirmations: 3 })
    const sale = await sell()
    await settle()
    const { hash } = (await inFlight())[0]!.transaction.versions[0]!
    await mine()
    await settle()
    const before = (await row(sale)).evidence
    expect(before?.transactionHash).toBe(hash)

    await node.request("anvil_reorg", [1, []])
    await drop(hash)
    expect(await chain.blockHash(before!.blockNumber)).not.toBe(before!.blockHash)
    expect(await chain.receipt(hash)).toBeNull()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "sent", evidence: null })
    expect(await transaction(hash)).toMatchObject({ hash, blockHash: null })
    expect((await inFlight())[0]!.transaction.versions).toHaveLength(1)

    await mine(3)
    await settle()
    expect(await row(sale)).toMatchObject({ state: "paid", evidence: { transactionHash: hash } })
    expect(await balanceOf(payTo)).toBe(value)
    const kinds = (await store.entries({ after: 0, limit: 10 })).map((entry) => entry.kind)
    expect(kinds).toEqual(["redeemed", "reopened", "settled"])
  })

  it("cannot pass unnoticed: a block is checked once per round until it is final", async () => {
    let checks = 0
    const counting: Chain = {
      ...chain,
      blockHash(number) {
        checks += 1
        return chain.blockHash(number)
      },
    }
    settlement = open({ chain: counting })
    const account = await fundedAccount()
    const sales = [await sell(account), await sell(account)]
    await settle()
    await mine()
    await settle()
    for (const sale of sales) expect((await row(sale)).state).toBe("paid")
    for (const final of [false, true]) {
      if (final) await mine(64)
      clock += 10
      await settle()
      // One check serves all payments of the block in each round.
      await settle()
      expect(checks).toBe(final ? 2 : 1)
      for (const sale of sales) expect((await row(sale)).state).toBe(final ? "final" : "paid")
    }
    clock += 10
    await settle()
    expect(checks).toBe(2)
    const kinds = (await store.entries({ after: 0, limit: 10 })).map((entry) => entry.kind)
    expect(kinds).toEqual(["redeemed", "redeemed", "settled", "settled"])
  })

  it("SET-32: with a cancellation fails a settled payment and ends its grant", async () => {
    const sale = await sell()
    await settle()
    const { hash } = (await inFlight())[0]!.transaction.versions[0]!
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("paid")
    await node.request("anvil_reorg", [1, []])
    await drop(hash)
    await sendForeign(await cancelCall(sale.account, sale.transfer.nonce))
    await mine()
    clock += 10
    await settle()
    await mine()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "failed", failure: "cancelled", evidence: null })
    expect(await grantEnd(sale)).toBe("settlement_failed")
    expect(await balanceOf(payTo)).toBe(0n)
    expect(await inFlight()).toEqual([])
    const kinds = (await store.entries({ after: 0, limit: 10 })).map((entry) => entry.kind)
    expect(kinds).toEqual(["redeemed", "settled", "reopened", "failed", "ended"])
    expect(logged.some(({ message }) => message === "a reorg took a settled payment back")).toBe(true)
  })

  it("SET-32: into another block settles the payment by that block", async () => {
    const sale = await sell()
    await settle()
    const { hash, raw } = (await inFlight())[0]!.transaction.versions[0]!
    await mine()
    await settle()
    const before = (await row(sale)).evidence!
    await node.request("anvil_reorg", [1, []])
    await drop(hash)
    expect(await chain.send(raw)).toBe("taken")
    await mine()
    clock += 10
    await settle()
    const { state, evidence } = await row(sale)
    expect([state, evidence!.transactionHash]).toEqual(["paid", hash])
    expect(evidence!.blockHash).not.toBe(before.blockHash)
    expect(evidence).toMatchObject({ blockHash: (await chain.receipt(hash))!.blockHash })
    expect(await balanceOf(payTo)).toBe(value)
    const kinds = (await store.entries({ after: 0, limit: 10 })).map((entry) => entry.kind)
    expect(kinds).toEqual(["redeemed", "settled", "reopened", "settled"])
  })

  it("is not needed to go on: a node without finality blocks no payment", async () => {
    const withoutFinality = {
      ...chain,
      finalized: () => Promise.reject(new ChainUnavailable("what is that?")),
    }
    settlement = open({ chain: withoutFinality })
    const account = await fundedAccount()
    for (const _ of [1, 2]) {
      const sale = await sell(account)
      await settle()
      await mine()
      await settle()
      expect((await row(sale)).state).toBe("paid")
      clock += 10
    }
  })

  it("undoes a third party's submission, and ours is sent", async () => {
    settlement = open({ confirmations: 3 })
    const sale = await sell()
    const foreign = await sendForeign(exactEip3009.settlementCall(asset, sale.transfer).data)
    await mine()
    await settle()
    expect(await row(sale)).toMatchObject({ state: "mined", transactionId: null })
    await node.request("anvil_reorg", [1, []])
    await drop(foreign)
    await settle()
    expect((await row(sale)).state).toBe("sent")
    await mine(3)
    await settle()
    expect((await row(sale)).state).toBe("paid")
    expect(await balanceOf(payTo)).toBe(value)
  })

  it("beyond the confirmations resends the same bytes and frees later nonces", async () => {
    const first = await sell()
    const account = await fundedAccount()
    await settle()
    const { hash } = (await inFlight())[0]!.transaction.versions[0]!
    await mine()
    await settle()
    expect((await row(first)).state).toBe("paid")
    await node.request("anvil_reorg", [1, []])
    await drop(hash)
    const second = await sell(account)
    await settle()
    expect((await inFlight())[0]!.transaction.nonce).toBe(1)
    clock += 30
    await settle()
    await mine()
    await settle()
    expect((await row(second)).state).toBe("paid")
    expect(await node.request("eth_getTransactionReceipt", [hash])).not.toBeNull()
    expect(await balanceOf(payTo)).toBe(2n * value)
  })
})

describe("one failing part does not block the others", () => {
  it("SET-41: a payment that cannot be processed gives way to the others", async () => {
    const account = await fundedAccount()
    const broken = await sell(account, "unheard-of")
    const good = await sell(account)
    await settle()
    expect(await row(broken)).toMatchObject({ state: "accepted", attempts: 1, dueAt: clock + 1 })
    await mine()
    await settle()
    expect((await row(good)).state).toBe("paid")
  })

  it("SET-26, DOS-14: an unavailable node is asked again with growing pauses", async () => {
    const sale = await sell()
    let asked = 0
    const down: Chain = {
      ...chain,
      estimateGas() {
        asked += 1
        return Promise.reject(new ChainUnavailable("gone"))
      },
    }
    const waiting = open({ chain: down, chance: () => 0.999 })
    for (let second = 0; second < 20; second += 1) {
      expect(await waiting.advance(fence)).toEqual({ busy: false })
      clock += 1
    }
    expect(asked).toBe(4)
    expect(await row(sale)).toMatchObject({ state: "accepted", attempts: 0 })
  })

  it("SET-30: a chain-id mismatch logs an error and does not count as an attempt", async () => {
    const sale = await sell()
    const outsider: Chain = { ...chain, estimateGas: () => Promise.reject(new ChainMismatch("of chain 1")) }
    await settle(open({ chain: outsider }))
    expect(await row(sale)).toMatchObject({ state: "accepted", attempts: 0, lastError: null })
    expect(logged).toMatchObject([{ level: "error", message: "settlement refuses a chain" }])
    await settle()
    await mine()
    await settle()
    expect((await row(sale)).state).toBe("paid")
  })

  it("a stale fence writes nothing and sends nothing", async () => {
    const sale = await sell()
    const before = await row(sale)
    clock += 1_000_001
    const next = await store.lease({ holder: "another", seconds: 5, now: clock })
    expect(next!.fence).toBeGreaterThan(fence)
    await expect(settlement.advance(fence)).rejects.toThrow(Fenced)
    expect(await row(sale)).toEqual(before)
    expect(await store.inFlight({ fence: next!.fence, network: sepolia.id })).toEqual([])
    expect(await chain.nonceOf(relayer.address)).toBe(0)
  })

  it("SET-44: a transaction that cannot be stored is not sent until it can", async () => {
    const sale = await sell()
    let sent = 0
    const watched: Chain = {
      ...chain,
      send(raw) {
        sent += 1
        return chain.send(raw)
      },
    }
    const full: Store = {
      ...store,
      prepare: () => Promise.reject(new StoreUnavailable("the database cannot be used (SQLITE_FULL)")),
    }
    await settle(open({ chain: watched, store: full }))
    expect(sent).toBe(0)
    expect((await row(sale)).state).toBe("accepted")
    await settle(open({ chain: watched }))
    expect(sent).toBe(1)
    expect((await row(sale)).state).toBe("sent")
  })

  it("a fence lost between simulating and storing sends nothing", async () => {
    const sale = await sell()
    let sent = 0
    const watched: Chain = {
      ...chain,
      async estimateGas(transfer) {
        clock += 1_000_001
        await store.lease({ holder: "another", seconds: 5, now: clock })
        return chain.estimateGas(transfer)
      },
      send(raw) {
        sent += 1
        return chain.send(raw)
      },
    }
    await expect(open({ chain: watched }).advance(fence)).rejects.toThrow(Fenced)
    expect(sent).toBe(0)
    expect((await row(sale)).state).toBe("accepted")
  })
})

describe("the settlement worker", () => {
  const work = (settlements: readonly Settlement[], holder: string) =>
    createWorker(
      { store, settlements, now: () => clock, holder, log },
      { pollSeconds: 0.01, leaseSeconds: 1 },
    )
  const stepCounter = (network: string) => {
    let step = () => {}
    const steps: number[] = []
    return {
      steps: steps,
      /** Resolves at the next step. */
      next: () =>
        new Promise<void>((resolve) => {
          step = resolve
        }),
      settlement: {
        network,
        async advance(held: number) {
          steps.push(held)
          step()
          return { busy: false }
        },
      } satisfies Settlement,
    }
  }

  beforeEach(() => store.release({ fence }))

  it("settles until it is stopped, then releases the lease", async () => {
    const gate = stepCounter("a")
    const worker = work([gate.settlement], "one")
    expect(worker.holding()).toBe(false)
    const stepped = gate.next()
    worker.start()
    await stepped
    expect(worker.holding()).toBe(true)
    await worker.stop()
    await worker.stop()
    const steps = gate.steps.length
    expect(worker.holding()).toBe(false)
    expect(await store.lease({ holder: "two", seconds: 5, now: clock })).not.toBeNull()
    worker.start()
    expect(gate.steps).toHaveLength(steps)
  })

  it("runs in one process; on stop another continues with a higher fence", async () => {
    const counters = [stepCounter("a"), stepCounter("a")]
    const first = work([counters[0]!.settlement], "one")
    const second = work([counters[1]!.settlement], "two")
    const started = counters[0]!.next()
    first.start()
    await started
    second.start()
    const taken = counters[1]!.next()
    expect(counters[1]!.steps).toEqual([])
    await first.stop()
    await taken
    expect(counters[1]!.steps[0]).toBeGreaterThan(counters[0]!.steps.at(-1)!)
    await second.stop()
  })

  it("continues while a network hangs or throws, and stops after the running step", async () => {
    const gate = stepCounter("a")
    let release = () => {}
    const hanging = new Promise<{ busy: boolean }>((resolve) => {
      release = () => resolve({ busy: false })
    })
    const worker = work(
      [
        { network: "hangs", advance: () => hanging },
        { network: "throws", advance: () => Promise.reject(new Error("bad")) },
        { network: "fenced", advance: () => Promise.reject(new Fenced()) },
        gate.settlement,
      ],
      "one",
    )
    const stepped = gate.next()
    worker.start()
    await stepped
    await gate.next()
    const order: string[] = []
    const stopped = worker.stop().then(() => order.push("stopped"))
    order.push("released")
    release()
    await stopped
    expect(order).toEqual(["released", "stopped"])
    expect(logged.some(({ message }) => message === "a settlement step failed")).toBe(true)
  })

  it("settles a real payment when woken", async () => {
    await node.request("evm_setAutomine", [true])
    const done = new Promise<void>((resolve) => {
      settlement = open({ onStep: (step) => step === "concluded" && resolve() })
    })
    const worker = createWorker(
      { store, settlements: [settlement], now: () => clock, holder: "one", log },
      { pollSeconds: 0.05 },
    )
    worker.start()
    const sale = await sell()
    worker.wake()
    await done
    await worker.stop()
    expect((await row(sale)).state).toBe("paid")
  })
})
