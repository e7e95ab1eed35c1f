/** Contract suite for readers of the ledger: filters, exact sums, and places that survive restarts. */
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type LedgerFilter, parsePlace, placeText } from "../../server/core/ledger-filter.ts"
import { collect, readAll, readPage } from "../../server/delivery/ledger-reader.ts"
import { sumSales } from "../../server/delivery/sales-sums.ts"
import type { Store } from "../../server/ports/store.ts"
import {
  evidenceOf,
  network,
  type OrderChanges,
  orderOf,
  randomAddress,
  relayer,
  start,
} from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

const payTo = `0x${"bb".repeat(20)}` as const

export function ledgerContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`readers of the ledger of the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.cleanup())

    async function sell(changes: OrderChanges = {}) {
      const order = orderOf(changes)
      expect(await store.redeem(order)).toMatchObject({ kind: "redeemed" })
      return order
    }

    async function conclude(key: string, move: Parameters<Store["conclude"]>[0]["moves"][number]["move"]) {
      const held = await store.lease({ holder: "a", seconds: 30, now: start })
      await store.conclude({ fence: held?.fence ?? 0, moves: [{ key, move }], now: start + 5 })
    }

    const select = async (filter: LedgerFilter) =>
      (await readPage(store, filter, { after: 0, limit: 100 })).found.map(({ kind, redemptionKey }) => [
        kind,
        redemptionKey,
      ])
    const identify = (letter: string) =>
      store.identify({
        issuer: "https://a.example",
        ring: "r",
        payTo,
        generation: letter.repeat(32),
        now: start,
      })

    it("select entries by kind, state, network, asset, offer, payer, grant and time", async () => {
      const a = await sell({ now: start })
      const other = { network: "eip155:1", asset: randomAddress(), now: start + 10 }
      const b = await sell({ ...other, grant: { offer: "studio@11111111" } })
      await conclude(a.key, { to: "paid", evidence: evidenceOf() })
      await conclude(b.key, { to: "failed", failure: "expired", dueAt: null })
      const ofA = [
        ["redeemed", a.key],
        ["settled", a.key],
      ]
      const ofB = [
        ["redeemed", b.key],
        ["failed", b.key],
        ["ended", b.key],
      ]
      expect(await select({})).toEqual([ofA[0], ofB[0], ofA[1], ...ofB.slice(1)])
      expect(await select({ kinds: ["failed", "settled"] })).toEqual([ofA[1], ofB[1]])
      for (const filter of [
        { state: "failed" as const },
        { network: other.network },
        { asset: other.asset },
        { offer: "studio" },
        { offer: "studio@11111111" },
        { payer: b.transfer.payer },
        { grant: b.grant.id },
      ])
        expect(await select(filter), JSON.stringify(filter)).toEqual(ofB)
      for (const filter of [
        { offer: "stud" },
        { network: "eip155" },
        { payer: relayer },
        { state: "dead" as const },
      ])
        expect(await select(filter), JSON.stringify(filter)).toEqual([])
      expect(await select({ from: start + 10 })).toEqual([ofB[0]])
      expect(await select({ to: start + 5 })).toEqual([ofA[0]])
      expect(await select({ from: start + 11 })).toEqual([])
      expect(await select({ from: start + 5, to: start + 10, network })).toEqual([ofA[1]])
    })

    it("read page by page, and everything once, whatever the size of a page", async () => {
      for (let count = 0; count < 7; count++) await sell({ now: start + count })
      const all = await store.entries({ after: 0, limit: 100 })
      for (const limit of [1, 2, 3, 7, 8]) {
        const found = []
        for (let after = 0, isEnd = false; !isEnd; ) {
          const page = await readPage(store, {}, { after, limit })
          found.push(...page.found)
          ;({ last: after, isEnd } = page)
        }
        expect(found).toEqual(all)
      }
      const later = []
      for await (const page of readAll(store, { from: start + 3 }, 0)) later.push(...page)
      expect(later).toEqual(all.slice(3))
      const sales = await collect(store, {}, { after: 2, limit: 2 }, (range) =>
        store.redemptions({ state: null, ...range }),
      )
      expect([sales.found.map(({ sequence }) => sequence), sales.last, sales.isEnd]).toEqual([
        [3, 4],
        4,
        false,
      ])
    })

    it("sum sales exactly by state, member and period, up to a uint256", async () => {
      const largest = 2n ** 256n - 1n
      const value = fc.oneof(
        fc.bigInt({ min: 1n, max: largest }),
        fc.constantFrom(largest, 1n, 10n ** 13n, 10n ** 13n - 1n),
      )
      const sale = fc.record({
        value,
        offer: fc.constantFrom("hour@00000000", "day@00000000"),
        now: fc.integer({ min: start, max: start + 7200 }),
      })
      const sales =
        fc.sample(fc.array(sale, { minLength: 20, maxLength: 40 }), { numRuns: 1, seed: 16 })[0] ?? []
      for (const { value, offer, now } of sales)
        await sell({
          now,
          nominal: 1n,
          transfer: { value },
          grant: { offer },
          intake: { balance: largest * 100n },
        })
      const total = sales.reduce((sum, each) => sum + each.value, 0n)
      expect(await sumSales(store, { filter: {}, by: null, per: null })).toMatchObject([
        {
          name: null,
          since: null,
          sold: { payments: sales.length, value: total },
          unsettled: { value: total },
        },
      ])
      const found = await sumSales(store, { filter: {}, by: "offer", per: 3600 })
      for (const { name, since, sold } of found) {
        const part = sales.filter((each) => each.offer === name && each.now - (each.now % 3600) === since)
        expect(sold).toEqual({
          payments: part.length,
          value: part.reduce((sum, each) => sum + each.value, 0n),
        })
      }
      expect(found.reduce((sum, { sold }) => sum + sold.payments, 0)).toBe(sales.length)
    })

    it("sum each sale once, by its present state, and count free ones without value", async () => {
      const [paid, failed, open] = [await sell(), await sell(), await sell()]
      const free = orderOf({ settle: false, grant: { paid: false } })
      await store.addToWhitelist({
        member: { id: free.transfer.payer, secretSha256: null, scope: "movies:read" },
        now: start - 1,
      })
      expect(await store.redeem(free)).toMatchObject({ kind: "redeemed" })
      await conclude(paid.key, { to: "paid", evidence: evidenceOf() })
      await conclude(failed.key, { to: "failed", failure: "expired", dueAt: null })
      const one = { payments: 1, value: 10_000n }
      const [total] = await sumSales(store, { filter: {}, by: "network", per: null })
      expect(total).toMatchObject({
        name: network,
        sold: { payments: 3, value: 30_000n },
        settled: one,
        failed: one,
        unsettled: one,
        free: 1,
      })
      const byPayer = await sumSales(store, {
        filter: { payer: open.transfer.payer },
        by: "payer",
        per: null,
      })
      expect(byPayer).toMatchObject([{ name: open.transfer.payer, sold: one, unsettled: one }])
    })

    it("keep their place over restarts, and start anew in books that lost it", async () => {
      await identify("a")
      const places = []
      for (let count = 0; count < 2; count++) {
        await sell()
        places.push(await store.newest())
      }
      expect(places.map(placeText)).toEqual([`${"a".repeat(32)}-1`, `${"a".repeat(32)}-2`])
      store = await opened.reopen()
      await identify("b")
      await sell()
      expect(await store.newest()).toEqual({ generation: "b".repeat(32), sequence: 3 })
      for (const place of places) expect(await store.resume(place)).toBe(place.sequence)
      // Sequence 3 of generation a never was in these books: a restored backup has lost it.
      expect(await store.resume({ generation: "a".repeat(32), sequence: 3 })).toBeNull()
      expect(await store.resume({ generation: "c".repeat(32), sequence: 1 })).toBeNull()
      expect(await store.resume({ generation: "b".repeat(32), sequence: 4 })).toBeNull()
      expect(await store.resume({ generation: "b".repeat(32), sequence: 3 })).toBe(3)
      for (const text of ["", "1", "a-1", `${"a".repeat(32)}-01`, `${"a".repeat(32)}--1`])
        expect(parsePlace(text)).toBeUndefined()
      expect(parsePlace(placeText(places[1]!))).toEqual(places[1])
    })
  })
}
