import { ExactEvmScheme } from "@x402/evm/exact/client"
import { decodePaymentResponseHeader, wrapFetchWithPayment, x402Client } from "@x402/fetch"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { paymentResponseHeader } from "../../shared/x402/messages.ts"
import { type Cinema, eventually, lifeOf, offer, openCinema, watch } from "../support/cinema.ts"
import { sepoliaId, toldOffer } from "../support/offers.ts"

let cinema: Cinema
beforeAll(async () => {
  const first = { ...offer("film", "movies:read", "0.02"), settle: "first" as const }
  cinema = await openCinema({
    config: { offers: [offer("hour", "movies:read", "0.01"), first, toldOffer("rush", "movies:read")] },
    issuer: { prices: { rush: () => "0.03" } },
  })
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
    expect(lifeOf(body)).toBe(600)
    expect(body.refresh_token).toBeUndefined()
    expect((await watch(cinema.url, body.access_token)).status).toBe(200)
    await eventually(
      () => cinema.balanceOf(account.address),
      (balance) => balance === 40_000n,
    )
  })

  it("buys what is settled first, and gets its token with the proof of payment", async () => {
    const { account, fetch: payingFetch } = await stockFetch(50_000n)
    const response = await payingFetch(`${cinema.url}/token?offer=film`, { method: "POST" })
    expect(response.status).toBe(200)
    expect(decodePaymentResponseHeader(response.headers.get(paymentResponseHeader) ?? "")).toMatchObject({
      success: true,
      payer: expect.stringMatching(new RegExp(account.address, "i")),
    })
    expect(await cinema.balanceOf(account.address)).toBe(30_000n)
    const { access_token } = (await response.json()) as { access_token: string }
    expect((await watch(cinema.url, access_token)).status).toBe(200)
  })

  it("QTE-04: buys at a price that a function told, and brings its quote back", async () => {
    const { account, fetch: payingFetch } = await stockFetch(50_000n)
    const response = await payingFetch(`${cinema.url}/token?offer=rush`, { method: "POST" })
    expect(response.status).toBe(200)
    await eventually(
      () => cinema.balanceOf(account.address),
      (balance) => balance === 20_000n,
    )
  })

  it("refuses to pay at the door, before it signs anything", async () => {
    const { account, fetch: payingFetch } = await stockFetch(50_000n)
    await expect(payingFetch(`${cinema.url}/movies/1`)).rejects.toThrow()
    expect(await cinema.balanceOf(account.address)).toBe(50_000n)
  })
})
