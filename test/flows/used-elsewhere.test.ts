import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import {
  type Cinema,
  eventually,
  openCinema,
  postToken,
  preparePurchase,
  retryHeaders,
} from "../support/cinema.ts"
import { randomAccount } from "../support/payments.ts"

let cinema: Cinema
beforeAll(async () => {
  cinema = await openCinema()
})
afterAll(() => cinema.close())

/** Anybody may submit a signed transfer to the asset. */
async function submit(data: `0x${string}`): Promise<void> {
  const from = randomAccount().address
  await cinema.chain.fund(from)
  await cinema.chain.request("anvil_impersonateAccount", [from])
  await cinema.chain.request("eth_sendTransaction", [{ from, to: cinema.chain.asset, data, gas: "0x493e0" }])
}

describe("a signed transfer that is not new to the chain", () => {
  it("RPL-16, RPL-18: buys nothing once its nonce is used, whoever shows it", async () => {
    const customer = await cinema.customer(20_000n)
    const purchase = await preparePurchase(cinema, customer)
    await submit(exactEip3009.settlementCall(purchase.transfer))
    await eventually(
      () => cinema.balanceOf(customer.address),
      (balance) => balance === 10_000n,
    )
    for (const headers of [purchase.headers, retryHeaders(purchase)])
      expect(await postToken(cinema.url, headers)).toMatchObject({
        status: 400,
        body: { reason: "authorization_used", next: { action: "stop" } },
      })
  })

  it("SET-08: buys nothing for an account with code, a delegated one included: it can change its mind", async () => {
    const customer = await cinema.customer()
    await cinema.chain.request("anvil_setCode", [customer.address, `0xef0100${"11".repeat(20)}`])
    const { headers } = await preparePurchase(cinema, customer)
    expect((await postToken(cinema.url, headers)).body.reason).toBe("contract_payer_unsupported")
  })
})
