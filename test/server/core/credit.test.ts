import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type TopUpRedemption,
  takeBack,
  topUpGrant,
  unusedValue,
  whyNoTopUp,
} from "../../../server/core/credit.ts"
import { type Grant, openGrant } from "../../../server/core/grant.ts"
import type { Redemption } from "../../../server/core/redemption.ts"
import { type Meter, openMeter } from "../../../server/core/units.ts"
import { networks } from "../../../shared/networks/index.ts"

const grantOf = (units: number | null, seconds: number): Grant =>
  openGrant({
    id: "grant",
    offer: "old@00000000",
    scope: "a",
    subject: "eip155:1:0xabc",
    paid: true,
    startsAt: 0,
    expiresAt: seconds,
    opening: null,
    idempotencyHash: null,
    meter: openMeter(units),
    keyThumbprint: null,
    resource: null,
    token: { jti: "first", issuedAt: 0, expiresAt: Math.min(60, seconds), settled: true },
  })
const first = (nominal: bigint) => ({ key: "first", nominal, topUp: null, state: "paid" }) as Redemption
const topUpOf = (
  kind: "extends" | "moves",
  nominal: bigint,
  units: number | null,
  durationSeconds: number,
  key = "further",
) =>
  ({
    key,
    nominal,
    state: "sent",
    policy: "background",
    topUp: {
      opening: "0x00",
      kind,
      offer: { ref: "new@00000000", scope: "a b", durationSeconds, units },
      token: { jti: key, seconds: 60 },
      gave: null,
    },
  }) as unknown as TopUpRedemption
const spend = (grant: Grant, units: number): Grant => {
  const { meter } = grant
  if (!meter) return grant
  const some = Math.min(units, meter.left)
  return { ...grant, meter: { ...meter, left: meter.left - some, spent: meter.spent + some } }
}
const isSound = (meter: Meter | null) =>
  meter === null ||
  (meter.left + meter.held >= 0 &&
    meter.held >= 0 &&
    meter.spent >= 0 &&
    meter.given === meter.left + meter.held + meter.spent)

describe("the credit of a grant", () => {
  it("is the smaller unused share of time and units, rounded down", () => {
    const paid = first(1000n)
    expect(unusedValue(grantOf(10, 100), paid, 0)).toBe(1000n)
    expect(unusedValue(grantOf(10, 100), paid, 67)).toBe(330n)
    expect(unusedValue(spend(grantOf(10, 100), 7), paid, 10)).toBe(300n)
    expect(unusedValue(spend(grantOf(3, 100), 2), paid, 0)).toBe(333n)
    expect(unusedValue(grantOf(null, 7), paid, 6)).toBe(142n)
    expect(unusedValue(grantOf(10, 100), paid, 100)).toBe(0n)
    expect(unusedValue(spend(grantOf(10, 100), 10), paid, 0)).toBe(0n)
  })

  it("buys time and units of the larger offer at its price, rounded down", () => {
    const moved = topUpGrant(spend(grantOf(10, 100), 5), first(1000n), topUpOf("moves", 3000n, 100, 1000), 50)
    expect(moved.credit).toBe(500n)
    expect(moved.grant).toMatchObject({
      offer: "new@00000000",
      scope: "a b",
      expiresAt: 50 + 1000 + 166,
      meter: { left: 116, held: 0, spent: 5, given: 121 },
    })
    expect(moved.topUp.gave?.basis).toEqual({ value: 3500n, since: 50, until: 1216, units: 116 })
  })

  it("is not needed to extend: the whole offer is added and the rest kept", () => {
    const more = topUpGrant(spend(grantOf(10, 100), 3), first(1000n), topUpOf("extends", 1000n, 10, 100), 40)
    expect(more.grant).toMatchObject({ expiresAt: 200, meter: { left: 17, spent: 3 } })
    const late = topUpGrant(grantOf(10, 100), first(1000n), topUpOf("extends", 1000n, 10, 100), 140)
    expect(late.grant.expiresAt).toBe(240)
  })

  it("counts units held by gates as used, so none returns under another offer", () => {
    const grant = { ...grantOf(10, 100), meter: { given: 10, left: 4, held: 6, spent: 0 } }
    const { grant: after, dropsSlices } = topUpGrant(
      grant,
      first(1000n),
      topUpOf("moves", 3000n, 100, 1000),
      0,
    )
    expect(after.meter).toEqual({ given: 119, left: 113, held: 0, spent: 6 })
    expect(dropsSlices).toBe(true)
  })

  const amount = fc.bigInt({ min: 1n, max: 10n ** 9n })
  const units = fc.option(fc.integer({ min: 1, max: 100_000 }))
  const seconds = fc.integer({ min: 1, max: 10 ** 7 })
  const payment = fc.record({
    price: amount,
    units,
    seconds,
    used: fc.nat({ max: 100_000 }),
    wait: fc.nat({ max: 10 ** 6 }),
  })

  it("never makes value: a grant holds at most the value paid for it", () => {
    fc.assert(
      fc.property(
        amount,
        units,
        seconds,
        fc.array(payment, { minLength: 1, maxLength: 6 }),
        (price, sold, lifetime, more) => {
          let grant = grantOf(sold, lifetime)
          let standing: Redemption = first(price)
          let now = 0
          let paid = price
          for (const [at, each] of more.entries()) {
            grant = spend(grant, each.used)
            now += each.wait
            const before = unusedValue(grant, standing, now)
            expect(before <= paid).toBe(true)
            const bought = topUpOf(
              at % 2 === 0 ? "moves" : "extends",
              each.price,
              each.units,
              each.seconds,
              `${at}`,
            )
            const effect = topUpGrant(grant, standing, bought, now)
            const { meter } = effect.grant
            // Beyond exact numbers; a real grant is refused as full long before.
            if (!Number.isSafeInteger(effect.grant.expiresAt + (meter?.given ?? 0))) continue
            paid += each.price
            expect(isSound(meter)).toBe(true)
            if (bought.topUp.kind === "moves") {
              // The credit buys as many units as it covers, and one more would cost more than the credit.
              const spare = (whole: number, got: number) => {
                const cost = BigInt(got - whole) * each.price
                expect(cost <= before * BigInt(whole)).toBe(true)
                expect(cost + each.price > before * BigInt(whole)).toBe(true)
              }
              if (meter && each.units !== null) spare(each.units, meter.left)
              spare(each.seconds, effect.grant.expiresAt - now)
            }
            grant = effect.grant
            standing = { ...bought, topUp: effect.topUp }
            const held = unusedValue(grant, standing, now)
            expect(held <= before + each.price && held <= paid).toBe(true)
          }
        },
      ),
      { numRuns: 100 },
    )
  })

  it("is withdrawn to the unit when the payment fails, or the grant ends", () => {
    fc.assert(
      fc.property(
        amount,
        units,
        seconds,
        payment,
        fc.nat({ max: 200_000 }),
        fc.boolean(),
        (
          price,
          sold,
          lifetime,
          { price: dearer, units: more, seconds: longer, used, wait },
          later,
          moves,
        ) => {
          const now = Math.min(wait, lifetime)
          const before = spend(grantOf(sold, lifetime), used)
          // An extension counts units exactly when the grant does.
          const same = sold === null ? null : (more ?? 1)
          const bought = topUpOf(moves ? "moves" : "extends", dearer, moves ? more : same, longer)
          const given = topUpGrant(before, first(price), bought, now)
          const after = spend(given.grant, later)
          const spentSince = (after.meter?.spent ?? 0) - (given.grant.meter?.spent ?? 0)
          const back = takeBack(after, { ...bought, topUp: given.topUp }, true, now + 5)
          const isCounted = before.meter !== null && given.grant.meter !== null
          expect(isSound(back.grant.meter)).toBe(true)
          expect(back.topUp.gave).toBeNull()
          if (isCounted && spentSince > (before.meter?.left ?? 0)) {
            expect(back.grant.ended).toEqual({ reason: "settlement_failed", at: now + 5 })
            return
          }
          expect(back.grant).toMatchObject({
            offer: before.offer,
            scope: before.scope,
            expiresAt: before.expiresAt,
          })
          expect(back.grant.ended).toBeNull()
          expect(back.grant.meter?.left).toBe(
            before.meter ? before.meter.left - (isCounted ? spentSince : 0) : undefined,
          )
        },
      ),
      { numRuns: 100 },
    )
  })

  it("ends a grant that moved on from an offer whose payment failed", () => {
    const bought = topUpOf("moves", 3000n, 100, 1000)
    const { grant, topUp } = topUpGrant(grantOf(10, 100), first(1000n), bought, 0)
    expect(takeBack(grant, { ...bought, topUp }, false, 9).grant.ended).toEqual({
      reason: "settlement_failed",
      at: 9,
    })
  })

  it("of an earlier payment is withdrawn without changing the newest offer", () => {
    const earlier = topUpOf("extends", 1000n, 10, 100, "earlier")
    const extended = topUpGrant(grantOf(10, 100), first(1000n), earlier, 0)
    const bought = { ...earlier, topUp: extended.topUp }
    const moved = topUpGrant(extended.grant, bought, topUpOf("moves", 4000n, 100, 1000), 0)
    const back = takeBack(moved.grant, bought, false, 9)
    expect(back.grant).toMatchObject({ offer: "new@00000000", scope: "a b", ended: null })
    expect(back.grant.expiresAt).toBe(moved.grant.expiresAt - 100)
    expect(back.grant.meter?.left).toBe((moved.grant.meter?.left ?? 0) - 10)
    expect(back.dropsSlices).toBe(false)
  })

  it("drops slices when the meter appears or disappears with a failed payment", () => {
    for (const [before, after] of [
      [null, 10],
      [10, null],
    ] as const) {
      const bought = topUpOf("moves", 3000n, after, 1000)
      const { grant, topUp } = topUpGrant(grantOf(before, 100), first(1000n), bought, 0)
      const back = takeBack(grant, { ...bought, topUp }, true, 9)
      expect([back.grant.meter?.given, back.dropsSlices]).toEqual([before ?? undefined, true])
    }
  })

  it("comes with a token that is marked settled only after settlement", () => {
    const bought = topUpOf("extends", 1000n, 10, 100)
    const tokenOf = (change: Partial<TopUpRedemption>) =>
      topUpGrant(grantOf(10, 100), first(1000n), { ...bought, ...change }, 0).grant.token
    expect(tokenOf({})?.settled).toBe(false)
    expect(tokenOf({ state: "paid" })?.settled).toBe(true)
  })

  it("is refused to a derived grant and to a free one", () => {
    const bought = topUpOf("extends", 1000n, 10, 100)
    const request = { generation: 0, keyThumbprint: null, needsKey: false, from: "old@00000000" }
    const why = (change: Partial<Grant>, standing = first(1000n)) =>
      whyNoTopUp({ ...grantOf(10, 100), ...change }, [], standing, bought, { request, now: 0 })
    expect(why({})).toBeUndefined()
    expect(why({ parent: "another" })).toBe("top_up_refused")
    expect(why({ paid: false })).toBe("top_up_refused")
    expect(why({}, { ...first(1000n), state: "free" })).toBe("top_up_refused")
  })

  it("is exact, because no asset has more than six decimals", () => {
    for (const { assets } of networks.values())
      for (const { decimals } of assets) expect(decimals).toBeLessThanOrEqual(6)
  })
})
