/** Contract suite for top-ups of a grant. */
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { auditBooks } from "../../server/books/audit.ts"
import type { Move } from "../../server/core/redemption.ts"
import { openMeter } from "../../server/core/units.ts"
import type { TopUpOrder } from "../../server/ports/records.ts"
import type { Store } from "../../server/ports/store.ts"
import { createRevocationSet } from "../../shared/oauth/revocation.ts"
import { evidenceOf, type OrderChanges, orderOf, preparation, start, topUpOf } from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

export function topUpContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`top-ups in the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    let fence: number
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      fence = (await store.lease({ holder: "test", seconds: 100_000, now: start }))?.fence ?? 0
    })
    afterEach(() => opened.cleanup())

    const move = (key: string, to: Move, now = start) =>
      store.conclude({ fence, moves: [{ key, move: to }], now })
    const pay = (key: string, now = start) => move(key, { to: "paid", evidence: evidenceOf() }, now)
    const fail = (key: string, now = start) =>
      move(key, { to: "failed", failure: "expired", dueAt: null }, now)
    /** A grant whose first payment is settled. */
    async function sell(units: number | null, changes: OrderChanges = {}): Promise<string> {
      const order = orderOf({ ...changes, grant: { meter: openMeter(units), ...changes.grant } })
      expect(await store.redeem(order)).toMatchObject({ kind: "redeemed" })
      await pay(order.key)
      return order.grant.id
    }
    const buy = async (order: TopUpOrder) => {
      const outcome = await store.topUp(order)
      return outcome.kind === "refused" ? outcome.reason : outcome.kind
    }
    const month = {
      ref: "month@00000000",
      scope: "movies:read movies:write",
      durationSeconds: 86_400,
      units: 100,
    }
    const larger = (grantId: string, changes: Parameters<typeof topUpOf>[1] = {}) =>
      topUpOf(grantId, { kind: "moves", nominal: 90_000n, offer: month, ...changes })
    const grantOf = async (id: string) => (await store.findGrant({ by: "id", value: id }))?.grant
    const take = (grantId: string, cost: number) =>
      store.takeUnits({ grantId, holder: "a", cost, wanted: cost, reports: [], now: start })
    const kinds = async (key: string) =>
      (await store.entries({ after: 0, limit: 1000 }))
        .filter((each) => each.redemptionKey === key)
        .map(({ kind }) => kind)
    const reasonFor = async (grant: string, iat: number, parent?: string) => {
      const set = createRevocationSet()
      const news = await store.revocations({ cursor: 0, limit: 1000, now: start })
      set.add(news.map(({ revocation }) => revocation))
      const claims = { grant, iat, jti: "j", offer: "hour@00000000", granted_at: start }
      return set.reasonFor(parent === undefined ? claims : { ...claims, parent })
    }
    // I1 is left out: these orders use invented keys.
    const isSound = async () =>
      expect((await auditBooks(store)).filter(({ invariant }) => invariant !== "I1")).toEqual([])

    it("extend a grant once by the whole offer, as a payment of their own", async () => {
      const id = await sell(10)
      const order = topUpOf(id, { offer: { units: 10 } })
      expect(await buy(order)).toBe("redeemed")
      expect(await buy(order)).toBe("repeated")
      expect(await grantOf(id)).toMatchObject({
        expiresAt: start + 7200,
        meter: { given: 20, left: 20 },
        generation: 0,
        token: { jti: order.jti, settled: false, expiresAt: start + 60 },
      })
      store = await opened.reopen()
      expect((await store.payments({ grantId: id })).map(({ state }) => state)).toEqual(["paid", "accepted"])
      expect(await store.findGrant({ by: "opening", value: order.topUp.opening })).toMatchObject({
        grant: { id },
        redemption: { key: order.key },
      })
      await pay(order.key)
      expect(await kinds(order.key)).toEqual(["redeemed", "topped_up", "settled"])
      await isSound()
    })

    it("move a grant to a larger offer, credit unused value, supersede older tokens", async () => {
      const id = await sell(10, { grant: { expiresAt: start + 3600 } })
      await take(id, 5)
      const order = larger(id, { now: start + 10 })
      expect(await buy(order)).toBe("redeemed")
      // 5,000 of 10,000 are unused; at 90,000 for 100 units and a day that buys 5 units and 4,800 s.
      const grant = await grantOf(id)
      expect(grant).toMatchObject({
        offer: "month@00000000",
        scope: month.scope,
        expiresAt: start + 10 + 86_400 + 4800,
        meter: { left: 105, held: 0, spent: 5 },
      })
      expect(await reasonFor(id, start + 10)).toBe("superseded")
      expect(await reasonFor("child", start, id)).toBe("superseded")
      expect(await reasonFor(id, grant?.token?.issuedAt ?? 0)).toBeUndefined()
      const entry = (await store.entries({ after: 0, limit: 100 })).find(({ kind }) => kind === "topped_up")
      expect(entry?.facts).toMatchObject({ offer: "month@00000000", credit: "5000", units: "100" })
      await isSound()
    })

    it("are refused without a payment when the request does not fit the grant", async () => {
      const id = await sell(10)
      const other = { scope: "other", durationSeconds: 9, units: 1 }
      const refused = {
        grant_lost: topUpOf("nobody's"),
        refresh_token_stale: topUpOf(id, { request: { generation: 1 } }),
        dpop_required: topUpOf(id, { request: { needsKey: true } }),
        offer_smaller: topUpOf(id, { kind: "moves", nominal: 90_000n, offer: other }),
        top_up_pending: topUpOf(id, { request: { from: "other@00000000" } }),
        grant_over: topUpOf(id, { now: start + 3600 }),
        grant_full: topUpOf(id, { offer: { durationSeconds: 11 * 365 * 86_400 } }),
        insufficient_funds: { ...topUpOf(id), intake: { blockNumber: 100n, balance: 0n, payerCode: null } },
      }
      for (const [reason, order] of Object.entries(refused)) expect(await buy(order), reason).toBe(reason)
      expect(await buy(larger(id, { nominal: 10_000n }))).toBe("offer_smaller")
      const bound = await sell(null, { grant: { keyThumbprint: "key" } })
      expect(await buy(topUpOf(bound))).toBe("dpop_key_mismatch")
      expect((await store.payments({ grantId: id })).length).toBe(1)
    })

    it("are accepted one at a time, counting the first payment", async () => {
      const order = orderOf()
      await store.redeem(order)
      const { id } = order.grant
      expect(await buy(topUpOf(id))).toBe("top_up_pending")
      await pay(order.key)
      const [one, two] = [topUpOf(id), topUpOf(id)]
      expect((await Promise.all([buy(one), buy(two)])).sort()).toEqual(["redeemed", "top_up_pending"])
    })

    it("SET-02: are withdrawn exactly when their payment fails", async () => {
      const id = await sell(10)
      const before = await grantOf(id)
      const order = larger(id)
      await buy(order)
      const { slice } = await take(id, 6)
      await store.reportUnits({ reports: [{ sliceId: slice?.id ?? 0, spent: 6, unused: 10 }] })
      await fail(order.key, start + 20)
      expect(await grantOf(id)).toMatchObject({
        offer: before?.offer,
        scope: before?.scope,
        expiresAt: before?.expiresAt,
        meter: { given: 10, left: 4, spent: 6 },
        ended: null,
      })
      expect(await reasonFor(id, start + 20)).toBe("superseded")
      expect((await store.findGrant({ by: "id", value: id }))?.redemption?.state).toBe("paid")
      expect(await kinds(order.key)).toEqual(["redeemed", "topped_up", "failed", "taken_back"])
      const refreshed = await store.rotate({
        grantId: id,
        generation: 0,
        opening: null,
        keyThumbprint: null,
        resources: ["https://shop.test"],
        peer: "peer",
        jti: "next",
        now: start + 20,
        lives: { full: 300, pending: 60 },
      })
      const token = refreshed?.decision.kind === "rotated" ? refreshed.decision.grant.token : undefined
      expect(token).toMatchObject({ settled: true })
      expect(await reasonFor(id, token?.issuedAt ?? 0)).toBeUndefined()
      await isSound()
    })

    it("are withdrawn from slices held by gates when their payment fails", async () => {
      for (const { spent, left } of [
        { spent: 1, left: 9 },
        { spent: 10, left: 0 },
        // Six of the spent units were unpaid: the grant owes nothing and has none left.
        { spent: 16, left: 0 },
      ]) {
        const id = await sell(10)
        const order = larger(id)
        await buy(order)
        const { slice } = await take(id, 1)
        expect(slice?.units).toBe(16)
        await fail(order.key)
        expect((await take(id, 1)).slice).toBe(null)
        await isSound()
        const report = { sliceId: slice?.id ?? 0, spent, unused: 16 - spent }
        await store.reportUnits({ reports: [report] })
        expect((await grantOf(id))?.meter).toMatchObject({ left, held: 0, spent })
        await isSound()
      }
    })

    it("end the grant when their unpaid units are already spent", async () => {
      const id = await sell(10)
      const order = topUpOf(id, { offer: { units: 10 } })
      await buy(order)
      const { slice } = await take(id, 11)
      await store.reportUnits({ reports: [{ sliceId: slice?.id ?? 0, spent: 11, unused: 0 }] })
      await fail(order.key)
      expect((await grantOf(id))?.ended?.reason).toBe("settlement_failed")
      expect(await reasonFor(id, start)).toBe("settlement_failed")
      await isSound()
    })

    it("settled first, add time and units only once the payment is settled", async () => {
      const id = await sell(10)
      const order = topUpOf(id, { policy: "first", offer: { units: 10 } })
      expect(await buy(order)).toBe("redeemed")
      expect(await grantOf(id)).toMatchObject({ expiresAt: start + 3600, meter: { left: 10 } })
      expect(await buy(topUpOf(id))).toBe("top_up_pending")
      await pay(order.key, start + 5000)
      expect(await grantOf(id)).toMatchObject({
        expiresAt: start + 8600,
        meter: { left: 20 },
        token: { jti: order.jti, settled: true },
      })
      await isSound()
      const failed = topUpOf(id, { policy: "first", now: start + 5000, offer: { units: 10 } })
      await buy(failed)
      await fail(failed.key, start + 5001)
      expect(await grantOf(id)).toMatchObject({ meter: { left: 20 }, ended: null })
    })

    it("follow the chain: withdrawn on failure, restored when the payment settles", async () => {
      const id = await sell(10)
      const order = topUpOf(id, { offer: { units: 10 } })
      await buy(order)
      await pay(order.key)
      await move(order.key, { to: "accepted", dueAt: start })
      expect((await grantOf(id))?.meter?.left).toBe(20)
      await fail(order.key)
      expect((await grantOf(id))?.meter?.left).toBe(10)
      await pay(order.key)
      expect(await grantOf(id)).toMatchObject({ expiresAt: start + 7200, meter: { left: 20, given: 20 } })
      await isSound()
    })

    it("block the next one while dead, until an operator retries them", async () => {
      const id = await sell(10)
      const order = topUpOf(id, { offer: { units: 10 } })
      await buy(order)
      await move(order.key, { to: "dead" })
      expect((await grantOf(id))?.meter?.left).toBe(20)
      expect(await buy(topUpOf(id))).toBe("top_up_pending")
      expect(await store.retry({ key: order.key, now: start })).toEqual({ retried: true })
      await pay(order.key)
      expect(await buy(topUpOf(id))).toBe("redeemed")
    })

    it("count towards the exposure limits and the losses", async () => {
      const id = await sell(null)
      const order = topUpOf(id, { limits: { perPayment: 1n } })
      expect(await store.topUp(order)).toMatchObject({ limit: "perPayment", redemption: { policy: "first" } })
      await fail(order.key)
      const background = topUpOf(id)
      await buy(background)
      expect(await store.exposure()).toMatchObject({ unsettled: 10_000n, lost: 0n })
      await fail(background.key)
      expect(await store.exposure()).toMatchObject({ unsettled: 0n, lost: 10_000n })
      await isSound()
    })

    it("revive a used-up grant but not a revoked one", async () => {
      const id = await sell(1)
      const { slice } = await take(id, 1)
      await store.reportUnits({ reports: [{ sliceId: slice?.id ?? 0, spent: 1, unused: 0 }] })
      expect(await buy(topUpOf(id, { offer: { units: 1 } }))).toBe("redeemed")
      expect((await take(id, 1)).slice?.units).toBe(1)
      const gone = await sell(1)
      const order = topUpOf(gone, { policy: "first", offer: { units: 1 } })
      await buy(order)
      await store.revoke({ target: { kind: "grant", grantId: gone }, by: "operator", note: null, now: start })
      await pay(order.key)
      expect(await grantOf(gone)).toMatchObject({ ended: { reason: "revoked" }, meter: { left: 1 } })
      expect(await buy(topUpOf(gone))).toBe("grant_revoked")
      await isSound()
    })

    it("stop superseded tokens from deriving grants", async () => {
      const [id, other] = [await sell(10), await sell(10)]
      const derive = async (jti: string, issuedAt: number, grantId = id) => {
        const outcome = await store.derive({
          grantId,
          shown: { jti, issuedAt },
          generation: null,
          shownUntil: start + 60,
          resources: ["https://shop.test"],
          keyThumbprint: null,
          id: `of-${jti}`,
          jti,
          scope: null,
          units: null,
          lifeSeconds: 60,
          boundTo: null,
          now: start,
        })
        return outcome?.decision.kind === "refused" ? outcome.decision.reason : outcome?.decision.kind
      }
      const before = (await grantOf(id))?.token
      expect(await derive("early", before?.issuedAt ?? 0)).toBe("derived")
      const extension = topUpOf(id)
      await buy(extension)
      await pay(extension.key)
      expect(await derive("extended", before?.issuedAt ?? 0)).toBe("derived")
      await buy(larger(id))
      expect(await derive("late", before?.issuedAt ?? 0)).toBe("subject_token_invalid")
      expect(await derive("new", (await grantOf(id))?.token?.issuedAt ?? 0)).toBe("derived")
      expect(await derive("other", before?.issuedAt ?? 0, other)).toBe("derived")
    })

    it("void slices when a grant moves, so that late reports change nothing", async () => {
      const id = await sell(100)
      const outcome = await store.derive({
        grantId: id,
        shown: null,
        generation: 0,
        shownUntil: null,
        resources: ["https://shop.test"],
        keyThumbprint: null,
        id: "child",
        jti: "child",
        scope: null,
        units: 50,
        lifeSeconds: 300,
        boundTo: null,
        now: start,
      })
      expect(outcome?.decision.kind).toBe("derived")
      const { slice } = await take("child", 4)
      await take(id, 4)
      await buy(larger(id))
      const after = await grantOf(id)
      expect(after?.meter).toMatchObject({ held: 0 })
      await store.reportUnits({ reports: [{ sliceId: slice?.id ?? 0, spent: 0, unused: slice?.units ?? 0 }] })
      expect(await grantOf(id)).toEqual(after)
      await isSound()
    })

    it("are sent in a transaction like any other payment", async () => {
      const id = await sell(null)
      const order = topUpOf(id)
      await buy(order)
      const { network, relayer } = preparation([])
      const { nonce } = await store.nextNonce({ fence, network, relayer, chainNonce: 0 })
      await store.prepare({ fence, nonce, ...preparation([order.key]) })
      expect((await store.inFlight({ fence, network }))[0]?.redemptions[0]).toMatchObject({
        key: order.key,
        topUp: { kind: "extends" },
      })
      await isSound()
    })
  })
}
