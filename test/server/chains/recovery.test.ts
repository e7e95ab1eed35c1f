import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import { createRecovery } from "../../../server/chains/recovery.ts"
import {
  keccak256,
  lowerAddress,
  type Recover,
  recoverSigner,
  stringToBytes,
} from "../../../shared/values/evm.ts"
import { randomAccount } from "../../support/payments.ts"
import { signatureCases } from "../../support/signature-cases.ts"

const digest = keccak256(stringToBytes("a purchase"))

let recover: Recover
beforeAll(async () => {
  recover = await createRecovery()
})

describe("the recovery of a signer", () => {
  it("returns the address that signed", async () => {
    const account = randomAccount()
    expect(await recover(digest, await account.sign({ hash: digest }))).toBe(lowerAddress(account.address))
  })

  it("RPL-12: returns undefined for bytes that are no signature", async () => {
    const genuine = await randomAccount().sign({ hash: digest })
    for (const signature of [
      "0x",
      `0x${"00".repeat(65)}`,
      `0x${"ff".repeat(64)}1b`,
      `${genuine}00`,
      genuine.slice(0, 130),
      `${genuine.slice(0, 130)}1d`,
      `${genuine.slice(0, 129)}x1b`,
    ] as `0x${string}`[])
      expect(await recover(digest, signature), signature).toBeUndefined()
  })

  it("agrees with viem on every signature", async () => {
    await fc.assert(
      fc.asyncProperty(signatureCases, async (make) => {
        const { digest, signature } = await make()
        expect(await recover(digest, signature)).toBe(await recoverSigner(digest, signature))
      }),
      { numRuns: 500 },
    )
  })
})
