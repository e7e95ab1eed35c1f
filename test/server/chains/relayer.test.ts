import { encodeFunctionData, parseAbi, zeroHash } from "viem"
import { generatePrivateKey } from "viem/accounts"
import { beforeAll, describe, expect, it } from "vitest"
import { createRelayer, onlySettlements } from "../../../server/chains/relayer.ts"
import { parseConfig } from "../../../server/config/config.ts"
import { aggregators, type Call, settlerDeployment } from "../../../server/core/batch.ts"
import { settlerCode } from "../../../server/core/settler.ts"
import type { Relayer } from "../../../server/ports/chain.ts"
import { schemes } from "../../../shared/schemes/index.ts"
import type { Address, Hex } from "../../../shared/values/evm.ts"
import { configInput } from "../../support/offers.ts"
import { acceptedOf, randomAccount, signPayment } from "../../support/payments.ts"

const accepted = acceptedOf(parseConfig(configInput()).offers[0]!)
const asset = accepted.asset as Address
const otherAddress = randomAccount().address
let relayer: Relayer
let settlements: readonly Call[]
beforeAll(async () => {
  relayer = onlySettlements(createRelayer(generatePrivateKey()), [asset])
  const { transfer } = await signPayment({ accepted, account: randomAccount() })
  settlements = [...schemes.values()].map((scheme) => ({
    ...scheme.settlementCall(asset, transfer),
    gas: 1n,
  }))
})

const sign = (to: Address, data: Hex) =>
  relayer.sign({
    chainId: 1,
    nonce: 0,
    to,
    data,
    gas: 1n,
    fees: { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n },
  })
const expectRefused = (to: Address, data: Hex) =>
  expect(sign(to, data), `${to} ${data.slice(0, 10)}`).rejects.toThrow(/no settlement/)
/** The selectors of approve, transfer and permit, and a plain transfer of ETH. */
const abuses = ["0x095ea7b3", "0xa9059cbb", "0xd505accf", "0x"] as const

describe("KEY-08: the relayer signs", () => {
  it("settlement calls of every scheme to the assets, and no other call", async () => {
    for (const { to, data } of settlements) {
      expect((await sign(to, data)).raw).toMatch(/^0x02/)
      await expectRefused(otherAddress, data)
    }
    for (const data of abuses) await expectRefused(asset, data)
  })

  it("batches of settlement calls", async () => {
    for (const { address, encode } of aggregators)
      expect((await sign(address, encode([...settlements, ...settlements]))).raw).toMatch(/^0x02/)
  })

  it("no batch with another call in it, and none to another contract", async () => {
    for (const { address, encode, name } of aggregators) {
      for (const data of abuses)
        await expectRefused(address, encode([...settlements, { to: asset, data, gas: 1n }]))
      const elsewhere = settlements.map((call) => ({ ...call, to: otherAddress }))
      await expectRefused(address, encode(elsewhere))
      if (name === "Multicall3") await expectRefused(address, encode([...settlements, ...elsewhere]))
      await expectRefused(otherAddress, encode(settlements))
    }
  })

  it("no other function of the batch contracts", async () => {
    const [call] = settlements
    const [settler, multicall3] = aggregators
    // The same calls through functions that stop at a failure, send ETH along or do not exist.
    const aggregate = encodeFunctionData({
      abi: parseAbi(["function aggregate((address target, bytes callData)[] calls)"]),
      args: [[{ target: asset, callData: call!.data }]],
    })
    for (const data of [aggregate, "0x", "0xb5a1ad06", call!.data] as const)
      for (const { address } of aggregators) await expectRefused(address, data)
    await expectRefused(settler!.address, multicall3!.encode(settlements))
    await expectRefused(multicall3!.address, settler!.encode(settlements))
  })

  it("empty transfers to itself and to no other address", async () => {
    expect((await sign(relayer.address, "0x")).raw).toMatch(/^0x02/)
    await expectRefused(relayer.address, "0x00")
    await expectRefused(otherAddress, "0x")
  })

  it("the deployment of the Settler and no other deployment", async () => {
    const { to, data } = settlerDeployment
    expect(data).toBe(`${zeroHash}${settlerCode.slice(2)}`)
    expect((await sign(to, data)).raw).toMatch(/^0x02/)
    await expectRefused(to, `${data}00`)
    await expectRefused(to, `0x${"11".repeat(32)}${settlerCode.slice(2)}`)
    await expectRefused(otherAddress, data)
  })
})
