import { expect, it } from "vitest"
import { economicsOf } from "../../../server/core/economics.ts"
import type { Offer, Price } from "../../../server/core/offers.ts"
import { pricedOffers } from "../../../server/core/pricing.ts"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"

const priceOn = ({ id, assets }: typeof sepolia | typeof baseSepolia, amount: bigint | null): Price => ({
  network: id,
  scheme: "exact",
  asset: assets[0].address,
  amount,
  payTo: `0x${"bb".repeat(20)}`,
  maxTimeoutSeconds: 300,
})
const offerOf = (id: string, units: number | null, prices: readonly Price[]): Offer => ({
  id,
  ref: `${id}@00000000`,
  scope: "movies:read",
  durationSeconds: 3600,
  units,
  value: null,
  settle: "background",
  dpop: "optional",
  prices,
})
const priced = (offers: readonly Offer[]) => pricedOffers(offers, () => null, 10n ** 9n)

it("QTE-04: an offer with several quotes is promised until the first one expires", () => {
  const ends = new Map<string, number>([
    [sepolia.id, 900],
    [baseSepolia.id, 800],
  ])
  const promised = (_offer: Offer, { network }: Price) => ({
    amount: 10_000n,
    quote: network,
    expiresAt: ends.get(network)!,
  })
  const offer = offerOf("hour", null, [priceOn(sepolia, null), priceOn(baseSepolia, null)])
  expect(pricedOffers([offer], promised, 10n ** 9n)).toMatchObject([{ priceExpiresAt: 800 }])
})

it("break-even is measured against the cheapest single call in the same asset", () => {
  const [ten, ...others] = priced([
    offerOf("ten", 10, [priceOn(sepolia, 30_000n)]),
    offerOf("one", 1, [priceOn(sepolia, 10_000n)]),
    offerOf("cheaper", 1, [priceOn(sepolia, 9_000n)]),
    offerOf("elsewhere", 1, [priceOn(baseSepolia, 1n)]),
  ])
  expect(economicsOf(ten!, others)).toEqual({ reusable: true, unitPrice: "3000", breakEvenCalls: 4 })
})
