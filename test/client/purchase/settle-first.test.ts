import { afterAll, beforeAll, expect, it } from "vitest"
import { createClient } from "../../../client/index.ts"
import type { TypedDataSigner } from "../../../shared/schemes/scheme.ts"
import { failure } from "../../support/client-setup.ts"
import { sepoliaId } from "../../support/offers.ts"
import { eventually, offer, openService, type TestService, withoutBlocks } from "../../support/service.ts"

let service: TestService
beforeAll(async () => {
  const offers = [{ ...offer("hour", "movies:read", "0.01"), settle: "first" as const }]
  service = await openService({ config: { offers }, issuer: { waits: { seconds: 0.2 } } })
})
afterAll(() => service.close())

/** A client of a new payer with a short time limit, which counts its signatures. */
async function open() {
  const account = await service.customer()
  const signed = { count: 0 }
  const counting: TypedDataSigner = {
    address: account.address,
    signTypedData(parameters) {
      signed.count += 1
      return account.signTypedData(parameters as never)
    },
  }
  const waits: number[] = []
  const client = createClient({
    account: counting,
    budget: { perPurchase: "0.05", perDay: "1.00" },
    networks: [sepoliaId],
    resendSeconds: 12,
    delay: async (seconds) => void waits.push(seconds),
    now: () => Date.now() / 1000 + waits.reduce((sum, wait) => sum + wait, 0),
  })
  return { account, client, signed, waits }
}

it("a settle-first purchase times out, is kept, and needs no second signature", async () => {
  const { account, client, signed, waits } = await open()
  const url = `${service.url}/movies/1`
  const pending = await withoutBlocks(service.chain, () => failure(client.fetch(url)))
  expect(pending).toMatchObject({ code: "settlement_pending", action: "retry" })
  // The interval of Retry-After.
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(5)
  expect((await client.spent()).day).toBe("0.01")

  await eventually(
    () => client.fetch(url).catch(() => undefined),
    (response) => response?.status === 200,
  )
  expect(signed.count).toBe(1)
  expect(await service.balanceOf(account.address)).toBe(990_000n)
  expect(await client.grants()).toMatchObject([{ settlement: "settled" }])
})
