import { generatePrivateKey } from "viem/accounts"
import { expect, it } from "vitest"
import { createRelayer, onlySettlements } from "../../../server/chains/relayer.ts"
import { parseConfig } from "../../../server/config.ts"
import { schemes } from "../../../shared/schemes/index.ts"
import { configInput } from "../../support/offers.ts"
import { acceptedOf, randomAccount, signPayment } from "../../support/payments.ts"

it("KEY-08: the relayer signs the settlement calls of every scheme, to the assets, and nothing else", async () => {
  const accepted = acceptedOf(parseConfig(configInput()).offers[0]!)
  const { transfer } = await signPayment({ accepted, account: randomAccount() })
  const asset = accepted.asset as `0x${string}`
  const relayer = onlySettlements(createRelayer(generatePrivateKey()), [asset])
  const sign = (to: `0x${string}`, data: `0x${string}`) =>
    relayer.sign({
      chainId: 1,
      nonce: 0,
      to,
      data,
      gas: 1n,
      fees: { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n },
    })
  for (const scheme of schemes.values())
    expect((await sign(asset, scheme.settlementCall(transfer))).raw).toMatch(/^0x02/)
  const call = schemes.get("exact")!.settlementCall(transfer)
  await expect(sign(randomAccount().address, call)).rejects.toThrow(/no settlement/)
  // approve, transfer, permit, plain ETH
  for (const data of ["0x095ea7b3", "0xa9059cbb", "0xd505accf", "0x"] as const)
    await expect(sign(asset, data), data).rejects.toThrow(/no settlement/)
})
