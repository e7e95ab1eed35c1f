import fc from "fast-check"
import { encodeDeployData, numberToHex } from "viem"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { failedGasSeconds } from "../../../server/core/failed-gas.ts"
import type { Settlement } from "../../../server/settlement/settlement.ts"
import { type Hex, keccak256, zeroAddress } from "../../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { twoFacedWallet } from "../../support/contracts/artifacts/two-faced-wallet.ts"
import { orderOf } from "../../support/orders.ts"
import { randomAccount, randomHex32 } from "../../support/payments.ts"
import { openSettlementRig, price, type Sale, type SettlementRig } from "../../support/settlement-rig.ts"

let node: LocalChain
let code: Hex
let rig: SettlementRig
let settlement: Settlement

beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  await node.request("evm_setAutomine", [false])
  code = (await node.request("eth_call", [{ data: encodeDeployData(twoFacedWallet) }, "latest"])) as Hex
})
afterAll(() => node.stop())
beforeEach(async () => {
  rig = await openSettlementRig(node)
  settlement = rig.open()
})

const mostGas = 300_000n
/** Properties of TwoFacedWallet.sol, each with a refusal by a wrong answer and by all the gas. */
const properties = {
  gasPrice: 0,
  gasLeft: 1,
  blockNumber: 2,
  time: 3,
  origin: 4,
  coinbase: 5,
  random: 6,
  relayerBalance: 7,
  baseFee: 8,
  gasLimit: 9,
  blockHash: 10,
  ownBalance: 11,
  caller: 12,
}
const burns = 32
/** The code agrees above the threshold instead of below. */
const above = 64

const payerCode = () => keccak256(code)

/** A payment of a new wallet whose code refuses where the property is above the threshold. */
async function sellTo(property: number, threshold: bigint, codeHash = payerCode()): Promise<Sale> {
  const [account] = await rig.payers(1)
  if (!account) throw new Error("there is no customer")
  await rig.setCode(account.address, code)
  const slots = [BigInt(property), threshold]
  for (const [slot, value] of slots.entries())
    await node.request("anvil_setStorageAt", [
      account.address,
      numberToHex(slot, { size: 32 }),
      numberToHex(value, { size: 32 }),
    ])
  const { number } = await rig.chain.head()
  const intake = { blockNumber: number, balance: price, payerCode: codeHash }
  return rig.redeem(account, { policy: "first", intake })
}

/** Receives the fees of blocks, which simulations do not show. */
const miner = randomAccount().address

/** Settles until nothing is left to do for the payment. */
async function finish(sale: Sale): Promise<void> {
  for (let round = 0; round < 12; round += 1) {
    await rig.settleAll(settlement)
    await node.request("anvil_setCoinbase", [miner])
    await rig.mine()
    await node.request("anvil_setCoinbase", [zeroAddress])
    rig.advanceClock(5)
    const { state } = await rig.row(sale)
    if (state === "failed" || state === "paid") return rig.settleAll(settlement)
  }
}

const sent = () => rig.chain.nonceOf(rig.relayer.address)
const always = 2n ** 256n - 1n

describe("SET-51: a payer with code", () => {
  it("that agrees in simulations and refuses at a real gas price costs no gas", async () => {
    const sale = await sellTo(properties.gasPrice, 0n)
    await finish(sale)
    expect(await rig.row(sale)).toMatchObject({ state: "failed", failure: "contract_payer" })
    expect(await sent()).toBe(0)
  })

  it("that refuses only in a block gets one try, which ends the payment", async () => {
    const sale = await sellTo(properties.coinbase, 0n)
    await finish(sale)
    expect(await rig.row(sale)).toMatchObject({ state: "failed", failure: "contract_payer" })
    expect(await sent()).toBe(1)
    expect(rig.logged).toContain("a settlement cost gas and did not pay")
  })

  it("that is honest pays", async () => {
    const sale = await sellTo(properties.gasPrice, always)
    await finish(sale)
    expect((await rig.row(sale)).state).toBe("paid")
  })

  it("is tried again after a pause of the asset, which is no fault of the payer", async () => {
    const sale = await sellTo(properties.gasPrice, always)
    await rig.settleAll(settlement)
    await rig.switchAsset("pause")
    await rig.settleAll(settlement)
    await rig.switchAsset("unpause")
    rig.advanceClock(60)
    await finish(sale)
    expect((await rig.row(sale)).state).toBe("paid")
    expect(await sent()).toBe(2)
  })

  it("costs at most one failed settlement, whatever its code looks at", async () => {
    const hostile = fc.record({
      property: fc.constantFrom(...Object.values(properties)),
      burner: fc.boolean(),
      isAbove: fc.boolean(),
      threshold: fc.oneof(
        fc.bigInt({ min: 0n, max: 400_000n }),
        fc.bigInt({ min: 0n, max: 2n ** 40n }),
        fc.bigInt({ min: 0n, max: always }),
      ),
    })
    await fc.assert(
      fc.asyncProperty(hostile, async ({ property, burner, isAbove, threshold }) => {
        rig = await openSettlementRig(node)
        settlement = rig.open()
        const sale = await sellTo(property + (burner ? burns : 0) + (isAbove ? above : 0), threshold)
        await finish(sale)
        expect(await sent()).toBeLessThanOrEqual(1)
        expect(await rig.store.failedGas({ now: 0 })).toBeLessThanOrEqual(mostGas)
        expect(["paid", "failed"]).toContain((await rig.row(sale)).state)
      }),
      { numRuns: 50, seed: 402 },
    )
  }, 60_000)
})

describe("SET-51: the gas budget of failed settlements", () => {
  const budget = 900_000n
  const redeem = (payerCode: Hex | null, payer: Hex, now: number) =>
    rig.store.redeem(
      orderOf({
        payer,
        now,
        policy: "first",
        intake: { payerCode },
        limits: { failedGas: Number(budget) },
        transfer: { validBefore: BigInt(now + 600) },
      }),
    )
  const address = () => randomAccount().address.toLowerCase() as Hex

  it("refuses payers with code that have never paid once it is spent, and nobody else", async () => {
    settlement = rig.open({ failedGasBudget: budget })
    const now = (await rig.chain.head()).time
    const paid = await sellTo(properties.gasPrice, always)
    await finish(paid)
    const later = now + 600
    const spent = () => rig.store.failedGas({ now: later })
    while ((await spent()) < budget) {
      expect(rig.logged).not.toContain("failed settlements have spent the gas budget of an hour")
      const { number } = await rig.chain.head()
      await finish(await sellTo(properties.blockNumber + burns, number + 1n, randomHex32()))
    }
    expect(await spent()).toBeLessThan(budget + mostGas)
    expect(rig.logged).toContain("failed settlements have spent the gas budget of an hour")
    const stranger = await redeem(randomHex32(), address(), later)
    const known = await redeem(payerCode(), paid.payer, later)
    const plain = await redeem(null, address(), later)
    expect([stranger, known, plain].map(({ kind }) => kind)).toEqual(["refused", "redeemed", "redeemed"])
    const hourLater = await redeem(randomHex32(), address(), later + failedGasSeconds)
    expect(hourLater.kind).toBe("redeemed")
  }, 60_000)

  it("counts a failed try against its payer at once", async () => {
    const { number, time } = await rig.chain.head()
    const sale = await sellTo(properties.blockNumber, number + 1n)
    await finish(sale)
    const refused = { kind: "refused", reason: "contract_payers_paused" }
    expect(await redeem(payerCode(), sale.payer, time + 100)).toEqual(refused)
    expect((await redeem(payerCode(), address(), time + 100)).kind).toBe("redeemed")
  })
})
