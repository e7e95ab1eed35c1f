import { ExactEvmScheme } from "@x402/evm/exact/client"
import { wrapFetchWithPayment, x402Client } from "@x402/fetch"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Cinema, eventually, openCinema, watch } from "../support/cinema.ts"
import { sepoliaId } from "../support/offers.ts"

let cinema: Cinema
beforeAll(async () => {
  cinema = await openCinema()
})
afterAll(() => cinema.close())

/** The client of the x402 project as it comes, told that Sepolia's USDC may be spent. */
async function stockFetch(usdc: bigint) {
  const account = await cinema.customer(usdc)
  const client = new x402Client().register("eip155:*", new ExactEvmScheme(account)).setSpendControls({
    maxAmountPerPayment: "$1",
    allowedAssets: [{ network: sepoliaId, asset: cinema.chain.asset, maxAmountPerPayment: "100000" }],
  })
  return { account, fetch: wrapFetchWithPayment(fetch, client) }
}

describe("an unmodified x402 client", () => {
  it("buys at the ticket office and watches with what it got", async () => {
    const { account, fetch: payingFetch } = await stockFetch(50_000n)
    const response = await payingFetch(`${cinema.url}/token`, { method: "POST" })
    expect(response.status).toBe(200)
    const body = (await response.json()) as {
      access_token: string
      expires_in: number
      refresh_token?: string
    }
    expect(body.expires_in).toBe(600)
    expect(body.refresh_token).toBeUndefined()
    expect((await watch(cinema.url, body.access_token)).status).toBe(200)
    await eventually(
      () => cinema.balanceOf(account.address),
      (balance) => balance === 40_000n,
    )
  })

  it("refuses to pay at the door, before it signs anything", async () => {
    const { account, fetch: payingFetch } = await stockFetch(50_000n)
    await expect(payingFetch(`${cinema.url}/movies/1`)).rejects.toThrow()
    expect(await cinema.balanceOf(account.address)).toBe(50_000n)
  })
})
