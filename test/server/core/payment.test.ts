import { describe, expect, it } from "vitest"
import { parseConfig } from "../../../server/config/config.ts"
import { createOfferBoard, type Offer } from "../../../server/core/offers.ts"
import { locatePayment, matchPayment, nominalValue, requireWindow } from "../../../server/core/payment.ts"
import { networks } from "../../../shared/networks/index.ts"
import { Refusal } from "../../../shared/refusals.ts"
import { configInput, sepoliaId } from "../../support/offers.ts"
import { acceptedOf, randomAccount, signPayment } from "../../support/payments.ts"

const now = 1_800_000_000
const [hour] = parseConfig(configInput()).offers as [Offer]
const [dayOffer] = parseConfig(
  configInput({
    offers: [
      {
        id: "day",
        scope: "movies:read",
        durationSeconds: 86_400,
        prices: [{ network: sepoliaId, asset: "USDC", amount: "0.1" }],
      },
    ],
  }),
).offers as [Offer]
const board = createOfferBoard(
  [
    { offer: hour, replacedAt: null },
    { offer: dayOffer, replacedAt: null },
  ],
  900,
)
const account = randomAccount()
const accepted = acceptedOf(hour)

const reasonOf = (payload: unknown, against = board, at = now): string => {
  try {
    requireWindow(matchPayment(locatePayment(payload), against), at)
    return "matched"
  } catch (error) {
    if (error instanceof Refusal) return error.reason
    throw error
  }
}
const sign = async (changes: Parameters<typeof signPayment>[0]["terms"] = {}) =>
  (await signPayment({ accepted, account, now, terms: changes })).payload

describe("a payment", () => {
  it("matches the offer it names", async () => {
    const payment = matchPayment(locatePayment(await sign()), board)
    expect(payment.offer.ref).toBe(hour.ref)
    expect(payment.key).toMatch(/^eip3009:11155111:0x1c7d4b19[0-9a-f]{32}:0x[0-9a-f]{40}:0x[0-9a-f]{64}$/)
  })

  it("QTE-01, SET-36: must pay the offer's exact price, whatever `accepted` says", async () => {
    expect(reasonOf(await sign({ value: 1n }))).toBe("amount_mismatch")
    expect(reasonOf(await sign({ value: 10_001n }))).toBe("amount_mismatch")
    const claimed = { ...(await sign({ value: 1n })), accepted: { ...accepted, amount: "1" } }
    expect(reasonOf(claimed)).toBe("amount_mismatch")
    expect(reasonOf({ ...(await sign()), accepted: { ...accepted, amount: "1" } })).toBe("amount_mismatch")
  })

  it("QTE-02, QTE-06, RPL-20, RPL-21: must have the offer's network, asset and payTo", async () => {
    const payload = await sign()
    const claim = (changes: object) => ({ ...payload, accepted: { ...accepted, ...changes } })
    expect(
      reasonOf(claim({ network: "eip155:84532", asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e" })),
    ).toBe("network_mismatch")
    expect(reasonOf(claim({ network: "eip155:999" }))).toBe("network_mismatch")
    expect(reasonOf(claim({ asset: `0x${"1".repeat(40)}` }))).toBe("asset_mismatch")
    expect(reasonOf(claim({ scheme: "upto" }))).toBe("scheme_mismatch")
    expect(reasonOf(await sign({ payTo: `0x${"2".repeat(40)}` }))).toBe("recipient_mismatch")
    expect(reasonOf(claim({ payTo: `0x${"2".repeat(40)}` }))).toBe("matched")
  })

  it("RPL-24, QTE-10: for one offer buys no other offer", async () => {
    const payload = await sign()
    expect(reasonOf({ ...payload, accepted: { ...accepted, extra: { offer: dayOffer.ref } } })).toBe(
      "amount_mismatch",
    )
    expect(reasonOf({ ...payload, accepted: { ...accepted, extra: { offer: "hour@ffffffff" } } })).toBe(
      "offer_unknown",
    )
    expect(reasonOf({ ...payload, accepted: { ...accepted, extra: {} } })).toBe("offer_unknown")
    expect(reasonOf({ ...payload, accepted: { ...accepted, extra: null } })).toBe("offer_unknown")
  })

  it("SET-09, SET-10: must be valid now, long enough and not too long", async () => {
    const endingIn = (seconds: number) => ({ validBefore: BigInt(now + seconds) })
    expect(reasonOf(await sign(endingIn(83)))).toBe("validity_too_short")
    expect(reasonOf(await sign(endingIn(84)))).toBe("matched")
    expect(reasonOf(await sign(endingIn(3600)))).toBe("matched")
    expect(reasonOf(await sign(endingIn(3601)))).toBe("validity_too_long")
    expect(reasonOf(await sign({ validBefore: 2n ** 256n - 1n }))).toBe("validity_too_long")
    expect(reasonOf(await sign({ validAfter: BigInt(now) }))).toBe("not_yet_valid")
    expect(reasonOf(await sign({ validAfter: BigInt(now - 1) }))).toBe("matched")
  })

  it("SET-37: is refused when the payer is the recipient", async () => {
    const own = randomAccount()
    const [offer] = parseConfig(configInput({ payTo: own.address })).offers as [Offer]
    const { payload } = await signPayment({ accepted: acceptedOf(offer), account: own, now })
    expect(reasonOf(payload, createOfferBoard([{ offer, replacedAt: null }], 900))).toBe("payer_unacceptable")
  })

  it("QTE-04: for a replaced offer is accepted if it was signed within quoteSeconds", async () => {
    const payload = await sign()
    const replaced = (replacedAt: number) => createOfferBoard([{ offer: hour, replacedAt }], 900)
    expect(reasonOf(payload, replaced(now - 900))).toBe("matched")
    expect(reasonOf(payload, replaced(now - 901))).toBe("offer_expired")
  })

  it("PRS-14, PRS-17: is refused as malformed when any member is missing or wrong", async () => {
    const good = await sign()
    const wrong: unknown[] = [null, [], "x", 1, true, undefined, {}, { x402Version: 1 }]
    wrong.push(
      { ...good, x402Version: "2" },
      { ...good, accepted: null },
      { ...good, payload: {} },
      { ...good, payload: null },
    )
    wrong.push(
      { ...good, accepted: { ...accepted, amount: 10000 } },
      { ...good, accepted: { ...accepted, maxTimeoutSeconds: "600" } },
    )
    for (const payload of wrong) expect(reasonOf(payload), JSON.stringify(payload)).toBe("payment_malformed")
  })

  it("RPL-13: keeps its key and its match with unknown members in the envelope", async () => {
    const payload = await sign()
    const extended = {
      ...payload,
      resource: { url: "https://evil.example" },
      extensions: { x: 1 },
      more: [1],
      accepted: { ...accepted, y: 2 },
    }
    expect(locatePayment(extended).key).toBe(locatePayment(payload).key)
    expect(reasonOf(extended)).toBe("matched")
  })

  it("is accepted with null for each member of the envelope that it does not use", async () => {
    const payload = await sign()
    for (const id of [{ info: { id: null } }, { info: null }, null])
      expect(reasonOf({ ...payload, resource: null, extensions: { "payment-identifier": id } })).toBe(
        "matched",
      )
    expect(reasonOf({ ...payload, resource: null, extensions: null })).toBe("matched")
  })

  it("is counted in millionths of the currency, rounded up", () => {
    const usdc = networks.get(sepoliaId)!.assets[0]!
    expect(nominalValue(10_000n, usdc)).toBe(10_000n)
    expect(nominalValue(1n, { ...usdc, decimals: 18 })).toBe(1n)
    expect(nominalValue(10n ** 18n, { ...usdc, decimals: 18 })).toBe(1_000_000n)
    expect(nominalValue(1n, { ...usdc, decimals: 0 })).toBe(1_000_000n)
  })
})
