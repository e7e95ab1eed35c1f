/** Contract suite for metered grants: slices, reports and credits of units. */
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { auditBooks } from "../../server/books/audit.ts"
import { judgeRow } from "../../server/core/invariants.ts"
import { type Meter, openMeter, sliceSeconds } from "../../server/core/units.ts"
import type { Store } from "../../server/ports/store.ts"
import { orderOf, start } from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

export function unitContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`units in the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.cleanup())

    const sell = async (units: number | null): Promise<string> => {
      const order = orderOf({ grant: { meter: openMeter(units) } })
      expect(await store.redeem(order)).toMatchObject({ kind: "redeemed" })
      return order.grant.id
    }
    const take = (grantId: string, holder = "a", cost = 1, now = start) =>
      store.takeUnits({ grantId, holder, cost, wanted: cost, reports: [], now })
    const meterOf = async (grantId: string) =>
      (await store.findGrant({ by: "id", value: grantId }))?.grant.meter

    it("TOK-32: are lent up to the number sold, among concurrent gates", async () => {
      const id = await sell(100)
      const taken = await Promise.all(Array.from({ length: 200 }, (_, at) => take(id, `gate ${at % 3}`)))
      expect(taken.reduce((sum, { slice }) => sum + (slice?.units ?? 0), 0)).toBe(100)
      expect(await meterOf(id)).toEqual({ given: 100, left: 0, held: 100, spent: 0 })
    })

    it("record a slice's report once, however often it arrives, also after a reopen", async () => {
      const id = await sell(100)
      const { slice } = await take(id)
      expect(slice?.units).toBe(16)
      const part = { sliceId: slice?.id ?? 0, spent: 5, unused: 1 }
      const reports = [part]
      await store.reportUnits({ reports })
      await store.reportUnits({ reports })
      store = await opened.reopen()
      await store.reportUnits({ reports })
      expect(await meterOf(id)).toEqual({ given: 100, left: 85, held: 10, spent: 5 })
      await store.reportUnits({ reports: [{ ...part, spent: 6, unused: 10 }] })
      await store.reportUnits({ reports: [{ ...part, spent: 6, unused: 10 }] })
      expect(await meterOf(id)).toEqual({ given: 100, left: 94, held: 0, spent: 6 })
    })

    it("are not taken when a report does not fit its slice", async () => {
      const id = await sell(10)
      const { slice } = await take(id)
      const reports = [{ sliceId: slice?.id ?? 0, spent: 3, unused: 0 }]
      await expect(
        store.takeUnits({ grantId: id, holder: "a", cost: 1, wanted: 1, reports, now: start }),
      ).rejects.toThrow("does not fit")
      expect(await meterOf(id)).toEqual({ given: 10, left: 8, held: 2, spent: 0 })
    })

    it("are lent for at least the cost of the call, or not at all", async () => {
      const id = await sell(30)
      expect((await take(id, "a", 25)).slice?.units).toBe(25)
      expect(await take(id, "b", 6)).toEqual({ slice: null, given: 30, left: 5, elsewhere: 25 })
      expect((await take(id, "b", 5)).slice?.units).toBe(5)
    })

    it("TOK-32: are lent beside another instance only for calls that wait", async () => {
      const id = await sell(100)
      await store.beat({ id: "a", now: start })
      expect((await take(id, "a")).slice?.units).toBe(16)
      await store.beat({ id: "b", now: start })
      expect((await take(id, "a")).slice?.units).toBe(1)
      const wanting = (wanted: number, now = start) =>
        store.takeUnits({ grantId: id, holder: "b", cost: 2, wanted, reports: [], now })
      expect((await wanting(30)).slice?.units).toBe(30)
      // Too few for all of them is no reason to keep units back.
      expect((await wanting(90)).slice?.units).toBe(53)
      expect((await wanting(90)).slice).toBeNull()
    })

    it("are lent in advance again once other instances have left or are silent", async () => {
      const id = await sell(100)
      await store.beat({ id: "a", now: start })
      await store.beat({ id: "b", now: start })
      expect((await take(id, "a", 1, start + 5)).slice?.units).toBe(1)
      await store.beat({ id: "a", now: start + 6 })
      expect((await take(id, "a", 1, start + 6)).slice?.units).toBe(16)
      await store.beat({ id: "b", now: start + 6 })
      expect((await take(id, "a", 1, start + 6)).slice?.units).toBe(1)
      await store.leave({ id: "b" })
      expect((await take(id, "a", 1, start + 6)).slice?.units).toBe(16)
    })

    it("count as held elsewhere only if another gate holds them and is not late", async () => {
      const id = await sell(1)
      await take(id)
      expect((await take(id, "b")).elsewhere).toBe(1)
      expect((await take(id, "a")).elsewhere).toBe(0)
      expect((await take(id, "b", 1, start + sliceSeconds * 3)).elsewhere).toBe(0)
    })

    it("are not lent for an uncounted, ended or unknown grant", async () => {
      expect((await take(await sell(null))).slice).toBe(null)
      expect((await take("nobody's")).slice).toBe(null)
      const id = await sell(10)
      await store.revoke({ target: { kind: "grant", grantId: id }, by: "operator", note: null, now: start })
      expect((await take(id)).slice).toBe(null)
    })

    it("are credited by command after a crash, and booked", async () => {
      const id = await sell(1)
      await take(id)
      const credit = (grantId: string) =>
        store.creditUnits({ grantId, units: 3, note: "crash", now: start + 60 })
      expect(await credit(id)).toEqual({ given: 4, left: 3, held: 1, spent: 0 })
      expect(await credit(await sell(null))).toBe(null)
      expect(await credit("nobody's")).toBe(null)
      const booked = (await store.entries({ after: 0, limit: 100 })).filter(({ kind }) => kind === "credited")
      expect(booked).toMatchObject([{ at: start + 60, grantId: id, facts: { units: "3", note: "crash" } }])
    })

    it("I10: include slices held by gates, so that an audit sees made or lost units", async () => {
      const id = await sell(100)
      const { slice } = await take(id)
      await store.reportUnits({ reports: [{ sliceId: slice?.id ?? 0, spent: 4, unused: 2 }] })
      expect((await auditBooks(store)).filter(({ invariant }) => invariant === "I10")).toEqual([])
      const row = (await store.books({ after: "", limit: 10 })).find(({ grant }) => grant.id === id)
      if (!row) throw new Error("the grant is not in the books")
      expect(row.lent).toBe(10)
      const broken = (changes: Partial<Meter>) => {
        const meter: Meter = { given: 100, left: 86, held: 10, spent: 4, ...changes }
        return judgeRow({ ...row, grant: { ...row.grant, meter } }).map(({ invariant }) => invariant)
      }
      expect(broken({})).not.toContain("I10")
      expect(broken({ left: 87 })).toContain("I10")
      expect(broken({ held: 9, spent: 5 })).toContain("I10")
      expect(broken({ left: -11, spent: 101 })).toContain("I10")
    })

    it("are needed for a refresh: a used-up grant is refused until it is credited", async () => {
      const order = orderOf({ grant: { meter: openMeter(1) } })
      await store.redeem(order)
      const { slice } = await take(order.grant.id)
      const refresh = (generation: number) =>
        store.rotate({
          grantId: order.grant.id,
          generation,
          opening: null,
          keyThumbprint: null,
          resources: ["https://shop.test"],
          peer: "peer",
          jti: `j${generation}`,
          now: start + 1,
          lives: { full: 300, pending: 60 },
        })
      expect((await refresh(0))?.decision.kind).toBe("rotated")
      await store.reportUnits({ reports: [{ sliceId: slice?.id ?? 0, spent: 1, unused: 0 }] })
      expect((await refresh(1))?.decision).toMatchObject({ kind: "refused", reason: "grant_used_up" })
      await store.creditUnits({ grantId: order.grant.id, units: 1, note: null, now: start })
      expect((await refresh(1))?.decision.kind).toBe("rotated")
    })
  })
}
