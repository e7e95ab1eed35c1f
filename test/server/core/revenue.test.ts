import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isTopUp, topUpGrant } from "../../../server/core/credit.ts"
import { type Grant, openGrant } from "../../../server/core/grant.ts"
import type { Redemption, RedemptionState } from "../../../server/core/redemption.ts"
import { accountNames, accountsOf, noAccounts, plusAccounts } from "../../../server/core/revenue.ts"
import { openMeter } from "../../../server/core/units.ts"
import { redemptionOf } from "../../../server/stores/verbs/admission.ts"
import { evidenceOf, orderOf, start, topUpOf } from "../../support/orders.ts"

type Sale = { readonly grant: Grant; readonly payment: Redemption }

function saleOf(value: bigint, state: RedemptionState, units: number | null = null, spent = 0): Sale {
  const order = orderOf({ transfer: { value }, grant: { meter: openMeter(units) } })
  const meter = units === null ? null : { given: units, left: units - spent, held: 0, spent }
  const paid = state === "paid" || state === "final"
  return {
    grant: { ...openGrant(order.grant), meter },
    payment: {
      ...redemptionOf(order, order.grant.id, "background"),
      state,
      evidence: paid ? evidenceOf() : null,
    },
  }
}
const totalsOf = ({ grant, payment }: Sale, at: number) =>
  accountsOf(grant, [payment], payment, at).reduce(
    (sum, { accounts }) => plusAccounts(sum, accounts),
    noAccounts,
  )
const values = fc.bigInt({ min: 0n, max: 2n ** 128n })
const states = fc.constantFrom<RedemptionState>(
  "accepted",
  "sent",
  "mined",
  "paid",
  "final",
  "failed",
  "dead",
  "free",
)

describe("the accounts of a sale", () => {
  it("sum to zero for every state, time and use", () => {
    fc.assert(
      fc.property(
        values,
        states,
        fc.integer({ min: -10, max: 8000 }),
        fc.nat(10),
        fc.boolean(),
        (value, state, after, spent, counts) => {
          const accounts = totalsOf(saleOf(value, state, counts ? 10 : null, spent), start + after)
          expect(accountNames.reduce((sum, name) => sum + accounts[name], 0n)).toBe(0n)
          for (const name of ["received", "unsettled", "lost"] as const)
            expect(accounts[name] >= 0n).toBe(true)
          for (const name of ["earned", "unearned"] as const) expect(accounts[name] <= 0n).toBe(true)
        },
      ),
    )
  })

  it("sum to zero over a top-up, and what is unearned is at most what was paid", () => {
    fc.assert(
      fc.property(
        values,
        values,
        fc.integer({ min: 0, max: 3599 }),
        fc.integer({ min: 0, max: 9000 }),
        fc.constantFrom("extends" as const, "moves" as const),
        (value, more, boughtAfter, after, kind) => {
          const { grant, payment } = saleOf(value, "paid")
          const order = topUpOf(grant.id, { nominal: more, kind })
          const row = redemptionOf(order, grant.id, "background")
          const bought = {
            ...row,
            state: "sent" as const,
            topUp: { ...order.topUp, token: null, gave: null },
          }
          if (!isTopUp(bought)) throw new Error("wanted a top-up")
          const effect = topUpGrant(grant, payment, bought, start + boughtAfter)
          const second = { ...bought, topUp: effect.topUp }
          const lines = accountsOf(effect.grant, [payment, second], second, start + boughtAfter + after)
          for (const { accounts } of lines) expect(accounts.earned <= 0n).toBe(true)
          const sum = lines.reduce((all, { accounts }) => plusAccounts(all, accounts), noAccounts)
          expect(accountNames.reduce((all, name) => all + sum[name], 0n)).toBe(0n)
          expect(sum.received + sum.unsettled).toBe(value + more)
          expect(-sum.unearned <= value + more && sum.earned <= 0n).toBe(true)
        },
      ),
    )
  })

  it("earn by the limit that ends first: time that has passed, or units that were used", () => {
    const at = (sale: Sale, after: number) => totalsOf(sale, start + after)
    expect(at(saleOf(1000n, "paid"), 900)).toEqual({
      ...noAccounts,
      received: 1000n,
      earned: -250n,
      unearned: -750n,
    })
    expect(at(saleOf(1000n, "sent"), 0)).toEqual({ ...noAccounts, unsettled: 1000n, unearned: -1000n })
    expect(at(saleOf(1000n, "paid", 10, 6), 900)).toMatchObject({ earned: -600n, unearned: -400n })
    expect(at(saleOf(1000n, "paid"), 3600)).toMatchObject({ earned: -1000n, unearned: 0n })
  })

  it("a failed payment is lost as far as its grant was used, and a free one counts nowhere", () => {
    const failed = saleOf(1000n, "failed")
    const ended = {
      ...failed,
      grant: { ...failed.grant, ended: { reason: "settlement_failed" as const, at: start + 360 } },
    }
    expect(totalsOf(ended, start + 9999)).toEqual({ ...noAccounts, lost: 100n, earned: -100n })
    expect(totalsOf(saleOf(1000n, "free"), start)).toEqual(noAccounts)
  })

  it("an ended grant has nothing left to earn", () => {
    const sale = saleOf(1000n, "paid")
    const ended = { ...sale, grant: { ...sale.grant, ended: { reason: "revoked" as const, at: start + 10 } } }
    expect(totalsOf(ended, start + 10)).toEqual({ ...noAccounts, received: 1000n, earned: -1000n })
  })
})
