import { type Hex, numberToHex } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { createEvmChain } from "../../../../server/chains/evm.ts"
import { createRelayer, onlySettlements } from "../../../../server/chains/relayer.ts"
import { aggregators, batchGas, type Call, settlerDeployment } from "../../../../server/core/batch.ts"
import { settlerAddress } from "../../../../server/core/settler.ts"
import type { Relayer } from "../../../../server/ports/chain.ts"
import { domainOf } from "../../../../shared/networks/network.ts"
import { sepolia } from "../../../../shared/networks/sepolia.ts"
import { exactEip3009 } from "../../../../shared/schemes/exact-eip3009.ts"
import { lowerAddress } from "../../../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../../../support/chain/local-chain.ts"
import { randomAccount, randomHex32 } from "../../../support/payments.ts"

const [settler] = aggregators
const [usdc] = sepolia.assets
const asset = lowerAddress(usdc.address)
const gasEach = 100_000n
const transferred = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

let node: LocalChain
let chain: ReturnType<typeof createEvmChain>
let relayer: Relayer
let calls: readonly (Call & { payer: Hex })[]
let snapshot: unknown
beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 3 })
  await node.request("evm_setAutomine", [false])
  chain = createEvmChain({ network: sepolia, assets: [], rpcUrls: [node.rpcUrl] })
  relayer = createRelayer(generatePrivateKey())
  await node.fund(relayer.address)
  const payTo = lowerAddress(randomAccount().address)
  calls = await Promise.all(
    node.accounts.map(async ({ privateKey }) => {
      const account = privateKeyToAccount(privateKey)
      const payer = lowerAddress(account.address)
      const terms = { payer, payTo, value: 10n, validAfter: 0n, validBefore: 2n ** 40n, nonce: randomHex32() }
      const signature = await exactEip3009.sign(terms, domainOf(sepolia, usdc), account)
      return {
        to: asset,
        data: exactEip3009.settlementCall(asset, { ...terms, signature }).data,
        gas: gasEach,
        payer,
      }
    }),
  )
})
afterAll(() => node?.stop())
beforeEach(async () => {
  snapshot = await node.request("evm_snapshot")
})
afterEach(async () => {
  await node.request("evm_revert", [snapshot])
})

async function send(to: Hex, data: Hex, gas: bigint, by = relayer) {
  const nonce = await chain.nonceOf(by.address)
  const fees = await chain.fees()
  const { raw, hash } = await by.sign({ chainId: sepolia.chainId, nonce, to, data, gas, fees })
  await chain.send(raw)
  await node.request("evm_mine")
  const receipt = await chain.receipt(hash)
  if (!receipt) throw new Error("the transaction was not mined")
  const paid = receipt.logs.filter(({ topics }) => topics[0] === transferred).length
  return { success: receipt.success, paid }
}
const run = (gas = batchGas(calls)) => send(settlerAddress, settler!.encode(calls), gas)
const place = (address: Hex, code: Hex) => node.request("anvil_setCode", [address, code])

test("the Settler makes all calls of a batch within the estimated gas", async () => {
  expect(await run()).toEqual({ success: true, paid: 3 })
})

test("SET-25: a payer's code fails its own payment and no other in the batch", async () => {
  const misbehaviours: Record<string, Hex> = {
    "loops forever": "0x5b5f56",
    reverts: "0x5f5ffd",
    "is invalid": "0xfe",
    "returns 100,000 bytes": "0x620186a05ff3",
    "reverts with 100,000 bytes": "0x620186a05ffd",
  }
  for (const [behaviour, code] of Object.entries(misbehaviours)) {
    const before = await node.request("evm_snapshot")
    await place(calls[0]!.payer, code)
    expect(await run(), behaviour).toEqual({ success: true, paid: 2 })
    await node.request("evm_revert", [before])
  }
})

test("the Settler survives an asset that burns all gas or returns a megabyte", async () => {
  for (const code of ["0x5b5f56", "0xfe", "0x62100000 5ff3", "0x62100000 5ffd"]) {
    await place(asset, code.replace(" ", "") as Hex)
    expect(await run(), code).toEqual({ success: true, paid: 0 })
  }
})

test("a batch with too little gas reverts as a whole and drops no payment silently", async () => {
  const outcomes = new Map<boolean, Set<number>>([
    [true, new Set()],
    [false, new Set()],
  ])
  for (let gas = 100_000n; gas <= 340_000n; gas += 10_000n) {
    const before = await node.request("evm_snapshot")
    const { success, paid } = await run(gas)
    outcomes.get(success)?.add(paid)
    await node.request("evm_revert", [before])
  }
  expect([...(outcomes.get(true) ?? [])]).toEqual([3])
  expect([...(outcomes.get(false) ?? [])]).toEqual([0])
})

test("the Settler rejects ether", async () => {
  const [from] = node.accounts
  await node.request("anvil_impersonateAccount", [from!.address])
  const transaction = { from: from!.address, to: settlerAddress, value: numberToHex(1), gas: "0x30000" }
  await expect(
    node.request("eth_call", [{ ...transaction, data: settler!.encode(calls) }, "latest"]),
  ).rejects.toThrow()
  await expect(node.request("eth_call", [transaction, "latest"])).rejects.toThrow()
})

test("the deployment transaction puts the Settler at its fixed address", async () => {
  const placed = await node.request("eth_getCode", [settlerAddress, "latest"])
  await place(settlerAddress, "0x")
  expect(await chain.hasCode(settlerAddress)).toBe(false)
  const { to, data } = settlerDeployment
  expect(await send(to, data, 1_000_000n, onlySettlements(relayer, []))).toMatchObject({ success: true })
  expect(await node.request("eth_getCode", [settlerAddress, "latest"])).toBe(placed)
})
