import { ExactEvmScheme } from "@x402/evm/exact/client"
import { decodePaymentResponseHeader, wrapFetchWithPayment, x402Client } from "@x402/fetch"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { paymentResponseHeader } from "../../shared/x402/messages.ts"
import { pricedByFunction, sepoliaId } from "../support/offers.ts"
import { eventually, lifeOf, offer, openService, type TestService, watch } from "../support/service.ts"

let service: TestService
beforeAll(async () => {
  const first = { ...offer("film", "movies:read", "0.02"), settle: "first" as const }
  service = await openService({
    config: {
      offers: [offer("hour", "movies:read", "0.01"), first, pricedByFunction("rush", "movies:read")],
    },
    issuer: { prices: { rush: () => "0.03" } },
  })
})
afterAll(() => service.close())

/** The x402 project's client, unmodified, with Sepolia's USDC allowed. */
async function stockFetch(usdc: bigint) {
  const account = await service.customer(usdc)
  const client = new x402Client().register("eip155:*", new ExactEvmScheme(account)).setSpendControls({
    maxAmountPerPayment: "$1",
    allowedAssets: [{ network: sepoliaId, asset: service.chain.asset, maxAmountPerPayment: "100000" }],
  })
  return { account, fetch: wrapFetchWithPayment(fetch, client) }
}

describe("an unmodified x402 client", () => {
  it("buys at POST /token and uses the token", async () => {
    const { account, fetch: payingFetch } = await stockFetch(50_000n)
    const response = await payingFetch(`${service.url}/token`, { method: "POST" })
    expect(response.status).toBe(200)
    const body = (await response.json()) as {
      access_token: string
      expires_in: number
      refresh_token?: string
    }
    expect(lifeOf(body)).toBe(600)
    expect(body.refresh_token).toBeUndefined()
    expect((await watch(service.url, body.access_token)).status).toBe(200)
    await eventually(
      () => service.balanceOf(account.address),
      (balance) => balance === 40_000n,
    )
  })

  it("buys a settle-first offer and gets the settlement with its token", async () => {
    const { account, fetch: payingFetch } = await stockFetch(50_000n)
    const response = await payingFetch(`${service.url}/token?offer=film`, { method: "POST" })
    expect(response.status).toBe(200)
    expect(decodePaymentResponseHeader(response.headers.get(paymentResponseHeader) ?? "")).toMatchObject({
      success: true,
      payer: expect.stringMatching(new RegExp(account.address, "i")),
    })
    expect(await service.balanceOf(account.address)).toBe(30_000n)
    const { access_token } = (await response.json()) as { access_token: string }
    expect((await watch(service.url, access_token)).status).toBe(200)
  })

  it("QTE-04: buys at a function's price and sends its quote back", async () => {
    const { account, fetch: payingFetch } = await stockFetch(50_000n)
    const response = await payingFetch(`${service.url}/token?offer=rush`, { method: "POST" })
    expect(response.status).toBe(200)
    await eventually(
      () => service.balanceOf(account.address),
      (balance) => balance === 20_000n,
    )
  })

  it("refuses to pay at a route, before it signs", async () => {
    const { account, fetch: payingFetch } = await stockFetch(50_000n)
    await expect(payingFetch(`${service.url}/movies/1`)).rejects.toThrow()
    expect(await service.balanceOf(account.address)).toBe(50_000n)
  })
})
