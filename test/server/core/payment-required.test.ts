import { describe, expect, it } from "vitest"
import { parseConfig } from "../../../server/config/config.ts"
import type { Offer } from "../../../server/core/offers.ts"
import { createPaymentRequired, headerLimit, offersFor } from "../../../server/core/payment-required.ts"
import { pricedOffers } from "../../../server/core/pricing.ts"
import { decodeHeader } from "../../../shared/values/codec.ts"
import { type PaymentRequired, paymentRequiredSchema } from "../../../shared/x402/messages.ts"
import { configInput, payTo, sepoliaId } from "../../support/offers.ts"

const prices = [{ network: sepoliaId, asset: "USDC", amount: "0.01" }]
const config = parseConfig(
  configInput({
    offers: Array.from({ length: 30 }, (_, index) => ({
      id: `offer-${index}`,
      scope: index === 0 ? "movies:read" : "movies:read movies:write",
      durationSeconds: 60 * (index + 1),
      prices,
    })),
  }),
)
const priced = (offers: readonly Offer[]) => pricedOffers(offers, () => undefined, config.limits.perPayment)
const terms = {
  url: "http://127.0.0.1:8402/movies/{id}",
  error: "token_missing",
  issuer: "http://127.0.0.1:8402",
  tokenEndpoint: "http://127.0.0.1:8402/token",
  resource: "http://127.0.0.1:8402",
}
const read = (header: string): PaymentRequired => paymentRequiredSchema.parse(decodeHeader(header))

describe("the payment-required answer", () => {
  it("names the offer, its price, its recipient and the token endpoint", () => {
    const { header, body } = createPaymentRequired({
      ...terms,
      offers: priced(config.offers.slice(0, 1)),
      paymentFlow: "access-token",
    })
    expect(decodeHeader(header)).toEqual(JSON.parse(body))
    expect(JSON.parse(body).message).toBe(
      "Access costs 0.01 USDC on Sepolia: buy a token with a signed x402 payment at POST http://127.0.0.1:8402/token.",
    )
    expect(JSON.parse(body)).toMatchObject({
      x402Version: 2,
      error: "token_missing",
      resource: { url: terms.url },
      accepts: [
        {
          scheme: "exact",
          network: sepoliaId,
          amount: "10000",
          payTo,
          maxTimeoutSeconds: 600,
          extra: {
            name: "USDC",
            version: "2",
            decimals: 6,
            offer: config.offers[0]?.ref,
            paymentFlow: "access-token",
          },
        },
      ],
      extensions: {
        "access-token": { info: { tokenEndpoint: terms.tokenEndpoint, resource: terms.resource } },
      },
    })
  })

  it("names the token endpoint in auth-hints, for the entries that the gate does not take", () => {
    const [bearer, bound, payable] = config.offers
    const offers = priced([bearer, { ...bound, dpop: "required" }, payable] as Offer[])
    const atGate = createPaymentRequired({
      ...terms,
      offers,
      paymentFlow: "access-token",
      payAtRoutes: ({ id }) => id === payable?.id,
    })
    const method = { type: "oauth2", authorizationServer: terms.issuer, tokenEndpoint: terms.tokenEndpoint }
    expect(JSON.parse(atGate.body).extensions["auth-hints"].info).toEqual({
      authRequirements: [
        { acceptIndexes: [0], methods: [{ ...method, tokenType: "Bearer" }] },
        { acceptIndexes: [1], methods: [{ ...method, tokenType: "DPoP" }] },
      ],
    })
    const { body } = createPaymentRequired({ ...terms, offers })
    expect(JSON.parse(body).extensions["auth-hints"]).toBeUndefined()
  })

  it("says in words where there are several prices, or none", () => {
    const messageOf = (offers: readonly Offer[]) =>
      JSON.parse(createPaymentRequired({ ...terms, offers: priced(offers) }).body).message
    expect(messageOf(config.offers)).toContain("0.01 USDC on Sepolia or another price of this list: buy")
    expect(messageOf([])).toBe("Access is not on sale here: only callers on the whitelist get tokens.")
  })

  it("keeps the header under a proxy's limit and all offers in the body", () => {
    const { header, body } = createPaymentRequired({ ...terms, offers: priced(config.offers) })
    expect(header.length).toBeLessThanOrEqual(headerLimit)
    const shown = read(header)
    expect(shown.accepts.length).toBeGreaterThan(3)
    expect(shown.accepts.length).toBeLessThan(30)
    expect(Object.keys(shown.extensions?.["access-token"]?.info.offers ?? {}).length).toBe(
      shown.accepts.length,
    )
    expect(JSON.parse(body).accepts.length).toBe(30)
  })

  it("drops price comparisons from the header before it drops offers", () => {
    const offers = parseConfig(
      configInput({
        offers: Array.from({ length: 30 }, (_, index) => ({
          id: `offer-${index}`,
          scope: "movies:read",
          durationSeconds: 60,
          calls: index + 1,
          prices,
        })),
      }),
    ).offers
    const bare = config.offers.map(({ units: _, ...offer }) => ({ ...offer, units: null }))
    const { header, body } = createPaymentRequired({
      ...terms,
      offers: priced([...offers, ...bare].slice(0, 30)),
    })
    expect(header).not.toContain("unitPrice")
    expect(JSON.stringify(decodeHeader(header))).not.toContain("unitPrice")
    expect(body).toContain("unitPrice")
    const few = createPaymentRequired({ ...terms, offers: priced(offers.slice(0, 2)) })
    expect(JSON.stringify(decodeHeader(few.header))).toContain("unitPrice")
  })

  it("lists only the offers that cover the scope", () => {
    expect(offersFor(config.offers, "movies:write").length).toBe(29)
    expect(offersFor(config.offers, "movies:read").length).toBe(30)
    expect(offersFor(config.offers, "movies")).toEqual([])
    expect(offersFor(config.offers, undefined).length).toBe(30)
  })
})
