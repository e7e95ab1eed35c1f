/** Contract suite for the figures of the store: sums of payments in ranges, living grants, payers. */
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { PaymentSum } from "../../server/ports/records.ts"
import type { Store } from "../../server/ports/store.ts"
import {
  asset,
  evidenceOf,
  network,
  type OrderChanges,
  orderOf,
  randomAddress,
  start,
} from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

export function figuresContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the figures of the ${name} store`, () => {
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

    async function sums(limit: number): Promise<readonly PaymentSum[]> {
      const found: PaymentSum[] = []
      for (let after: number | null = 0; after !== null; ) {
        const page: Awaited<ReturnType<Store["paymentSums"]>> = await store.paymentSums({ after, limit })
        found.push(...page.sums)
        after = page.next
      }
      return found
    }

    const totalOf = (found: readonly PaymentSum[], state: string) =>
      found.filter((sum) => sum.state === state).reduce((sum, { value }) => sum + value, 0n)

    it("sum payments by state and policy exactly, in ranges of any size", async () => {
      const large = 2n ** 200n + 1n
      const rich = { transfer: { value: large }, intake: { balance: large } }
      const paid = await sell(rich)
      const other = await sell(rich)
      const failed = await sell({ policy: "first" })
      await sell()
      for (const { key } of [paid, other]) await conclude(key, { to: "paid", evidence: evidenceOf() })
      await conclude(failed.key, { to: "failed", failure: "expired", dueAt: null })
      expect(await sums(100)).toHaveLength(3)
      for (const limit of [1, 2, 3, 100]) {
        const found = await sums(limit)
        expect(totalOf(found, "paid")).toBe(2n * large)
        expect(found).toContainEqual({
          ...{ network, asset, state: "failed", policy: "first", payments: 1, value: 10_000n },
        })
        expect(found.reduce((sum, { payments }) => sum + payments, 0)).toBe(4)
      }
    })

    it("count grants that live, and payers with their settled payments", async () => {
      const empty = { paidGrants: 0, freeGrants: 0, payers: 0, settledPayments: 0 }
      expect(await store.population({ now: start })).toEqual(empty)
      const payer = randomAddress()
      const first = await sell({ payer })
      const second = await sell({ payer })
      const failed = await sell()
      await conclude(first.key, { to: "paid", evidence: evidenceOf() })
      await conclude(second.key, { to: "paid", evidence: evidenceOf() })
      await conclude(failed.key, { to: "failed", failure: "expired", dueAt: null })
      expect(await store.population({ now: start })).toEqual({
        ...{ paidGrants: 2, freeGrants: 0, payers: 1, settledPayments: 2 },
      })
      const { expiresAt } = first.grant
      expect(await store.population({ now: expiresAt })).toMatchObject({ paidGrants: 0, payers: 1 })
    })
  })
}
