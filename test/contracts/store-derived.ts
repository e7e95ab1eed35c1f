/** Contract suite for grants derived from other grants. */
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { auditBooks } from "../../server/books/audit.ts"
import { type DeriveRequest, derivedPerHour, type PresentedToken } from "../../server/core/derive.ts"
import { openMeter } from "../../server/core/units.ts"
import type { Store } from "../../server/ports/store.ts"
import { orderOf, start } from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

export function derivedContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`derived grants in the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    let children = 0
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.cleanup())

    const sell = async (units: number | null, grant: Parameters<typeof orderOf>[0] = {}) => {
      const order = orderOf({ ...grant, grant: { meter: openMeter(units), ...grant.grant } })
      expect(await store.redeem(order)).toMatchObject({ kind: "redeemed" })
      return order.grant.id
    }
    const ask = (grantId: string, changes: Partial<DeriveRequest> & { shown?: PresentedToken } = {}) =>
      store.derive({
        grantId,
        shown: null,
        generation: null,
        shownUntil: null,
        resources: ["https://shop.test"],
        keyThumbprint: null,
        id: `child-${++children}`,
        jti: `jti-${children}`,
        scope: null,
        units: null,
        lifeSeconds: 300,
        boundTo: null,
        now: start,
        ...changes,
      })
    async function derive(grantId: string, changes: Parameters<typeof ask>[1] = {}): Promise<string> {
      const outcome = await ask(grantId, changes)
      if (outcome?.decision.kind !== "derived")
        throw new Error(`derivation refused: ${JSON.stringify(outcome)}`)
      return outcome.decision.grant.id
    }
    const reasonFor = async (grantId: string, changes: Parameters<typeof ask>[1] = {}) => {
      const decision = (await ask(grantId, changes))?.decision
      return decision?.kind === "refused" ? decision.reason : decision?.kind
    }
    const take = (grantId: string, cost = 1, holder = "a") =>
      store.takeUnits({ grantId, holder, cost, wanted: cost, reports: [], now: start })
    const grantOf = async (id: string) => (await store.findGrant({ by: "id", value: id }))?.grant
    const revoke = (grantId: string) =>
      store.revoke({ target: { kind: "grant", grantId }, by: "holder", note: null, now: start })

    it("get at most their parent's scope, units and lifetime, and are booked", async () => {
      const parent = await sell(10, { grant: { scope: "a b", expiresAt: start + 400 } })
      const child = await derive(parent, { scope: "a", units: 4, lifeSeconds: 60 })
      expect(await grantOf(child)).toMatchObject({
        parent,
        scope: "a",
        expiresAt: start + 60,
        meter: { given: 4 },
        token: { settled: false, expiresAt: start + 60 },
      })
      const greedy = await derive(parent, { units: 40, lifeSeconds: 3600 })
      expect(await grantOf(greedy)).toMatchObject({
        scope: "a b",
        expiresAt: start + 400,
        meter: { given: 10 },
      })
      expect(await reasonFor(parent, { scope: "a c" })).toBe("invalid_scope")
      expect((await grantOf(await derive(parent, { shownUntil: start + 9 })))?.expiresAt).toBe(start + 9)
      const booked = (await store.entries({ after: 0, limit: 10 })).filter(({ kind }) => kind === "derived")
      expect(booked[0]).toMatchObject({
        grantId: child,
        facts: { parent, scope: "a", units: "4", until: String(start + 60) },
      })
    })

    it("cannot be derived from, and a parent yields a bounded number per hour", async () => {
      const parent = await sell(null)
      const child = await derive(parent)
      expect(await reasonFor(child)).toBe("token_derived")
      for (let count = 1; count < derivedPerHour; count++) await derive(parent, { lifeSeconds: 1 })
      expect(await reasonFor(parent)).toBe("too_many_derived")
      expect(await reasonFor(parent, { now: start + 3599 })).toBe("too_many_derived")
      expect(await reasonFor(await sell(null))).toBe("derived")
    })

    it("require the newest refresh token or an unrevoked access token, and its key", async () => {
      const parent = await sell(null)
      expect(await reasonFor(parent, { generation: 0 })).toBe("derived")
      expect(await reasonFor(parent, { generation: 1 })).toBe("refresh_token_stale")
      await store.revoke({
        target: { kind: "token", grantId: parent, jti: "stolen", expiresAt: start + 60 },
        by: "holder",
        note: null,
        now: start,
      })
      expect(await reasonFor(parent, { shown: { jti: "stolen", issuedAt: start } })).toBe(
        "subject_token_invalid",
      )
      expect(await reasonFor(parent, { shown: { jti: "other", issuedAt: start } })).toBe("derived")
      const bound = await sell(null, { grant: { keyThumbprint: "key" } })
      expect(await reasonFor(bound)).toBe("dpop_key_mismatch")
      expect((await grantOf(await derive(bound, { keyThumbprint: "key" })))?.keyThumbprint).toBe("key")
      const handed = await derive(bound, { keyThumbprint: "key", boundTo: "other key" })
      expect((await grantOf(handed))?.keyThumbprint).toBe("other key")
      expect(await ask("nobody's")).toBe(null)
    })

    it("end with their parent and do not end it", async () => {
      const parent = await sell(10)
      const [one, two] = [await derive(parent), await derive(parent)]
      await revoke(one)
      expect((await grantOf(two))?.ended).toBe(null)
      expect((await grantOf(parent))?.ended).toBe(null)
      expect((await take(one)).slice).toBe(null)
      await revoke(parent)
      expect((await grantOf(two))?.ended?.reason).toBe("revoked")
      expect((await take(two)).slice).toBe(null)
      expect(await reasonFor(parent)).toBe("grant_revoked")
      expect((await auditBooks(store)).filter(({ row }) => row.includes(one))).toEqual([])
    })

    it("are never refreshed", async () => {
      const child = await derive(await sell(null))
      const outcome = await store.rotate({
        grantId: child,
        generation: 0,
        opening: null,
        keyThumbprint: null,
        resources: ["https://shop.test"],
        peer: "peer",
        jti: "j",
        now: start,
        lives: { full: 300, pending: 60 },
      })
      expect(outcome?.decision).toEqual({ kind: "refused", reason: "refresh_token_invalid" })
    })

    it("draw from their parent's units and share them with it", async () => {
      const parent = await sell(10)
      const child = await derive(parent, { units: 6 })
      expect((await take(child, 5)).slice?.units).toBe(5)
      expect(await grantOf(parent)).toMatchObject({ meter: { given: 10, left: 5, held: 5, spent: 0 } })
      expect(await take(parent, 6, "b")).toEqual({ slice: null, given: 10, left: 5, elsewhere: 5 })
      expect((await take(child, 2)).slice).toBe(null)
      await take(parent, 5)
      expect(await grantOf(child)).toMatchObject({ meter: { given: 6, left: 0, held: 5 } })
      expect((await auditBooks(store)).filter(({ invariant }) => invariant === "I10")).toEqual([])
    })

    it("may count units under an uncounted parent without breaking the audit", async () => {
      const child = await derive(await sell(null), { units: 6 })
      expect((await take(child, 5)).slice?.units).toBe(5)
      expect((await auditBooks(store)).filter(({ invariant }) => invariant === "I10")).toEqual([])
    })

    it("never exceed their parent's units, in any order of takes and reports", async () => {
      const call = fc.record({
        by: fc.nat({ max: 3 }),
        cost: fc.integer({ min: 1, max: 4 }),
        share: fc.nat({ max: 4 }),
      })
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 30 }),
          fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 3, maxLength: 3 }),
          fc.array(call, { maxLength: 30 }),
          async (units, wishes, calls) => {
            const parent = await sell(units)
            const ids = [parent]
            for (const plans of wishes) ids.push(await derive(parent, { units: plans }))
            const spent = ids.map(() => 0)
            for (const { by, cost, share } of calls) {
              const { slice } = await take(ids[by] ?? parent, cost)
              if (!slice) continue
              const used = Math.min(slice.units, share)
              spent[by] = (spent[by] ?? 0) + used
              // Share 4 sends no report of the slice, as after a crash of the gate.
              if (share === 4) spent[by] += slice.units - used
              else
                await store.reportUnits({
                  reports: [{ sliceId: slice.id, spent: used, unused: slice.units - used }],
                })
            }
            expect(spent.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(units)
            wishes.forEach((plans, at) => {
              expect(spent[at + 1]).toBeLessThanOrEqual(plans)
            })
            const meter = (await grantOf(parent))?.meter
            expect(meter && meter.left + meter.held + meter.spent).toBe(units)
          },
        ),
        { numRuns: name === "memory" ? 100 : 10 },
      )
      expect((await auditBooks(store)).filter(({ invariant }) => invariant === "I10")).toEqual([])
    })
  })
}
