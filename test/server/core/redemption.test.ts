import { expect, it } from "vitest"
import { applyMove, type Move, type Redemption, settlementState } from "../../../server/core/redemption.ts"
import { redeemedOf } from "../../../server/stores/verbs/redeem.ts"
import { evidenceOf, orderOf, start } from "../../support/orders.ts"

const accepted = redeemedOf(orderOf(), "background").redemption
const after = (moves: readonly Move[]) => {
  const kinds: (string | null)[] = []
  let row: Redemption = accepted
  for (const move of moves) {
    const effect = applyMove(row, move)
    kinds.push(effect.entry)
    row = effect.redemption
  }
  return { kinds, row }
}
const paid = { to: "paid", evidence: evidenceOf() } as const

it("SET-32: a settled payment can be reopened, settled again or failed, all booked", () => {
  const failed = { to: "failed", failure: "cancelled", dueAt: null } as const
  expect(after([paid, { to: "sent" }, failed]).kinds).toEqual(["settled", "reopened", "failed"])
  const mined = { to: "mined", evidence: evidenceOf() } as const
  const moved = after([paid, mined])
  expect(moved.kinds).toEqual(["settled", "reopened"])
  expect(settlementState(moved.row.state)).toBe("pending")
  expect(after([paid, { to: "accepted", dueAt: start }, paid]).kinds).toEqual([
    "settled",
    "reopened",
    "settled",
  ])
})

it("a final payment never changes, and only a paid one becomes final", () => {
  const { row, kinds } = after([paid, { to: "final" }])
  expect([row.state, settlementState(row.state), kinds]).toEqual(["final", "settled", ["settled", null]])
  for (const move of [paid, { to: "sent" }, { to: "accepted", dueAt: start }, { to: "final" }] as const)
    expect(() => applyMove(row, move)).toThrow("cannot go from final")
  expect(() => applyMove(accepted, { to: "final" })).toThrow("cannot go from accepted to final")
})

it("a dead payment is pending for its owner and not revived by a worker", () => {
  const { row } = after([{ to: "dead" }])
  expect(settlementState(row.state)).toBe("pending")
  for (const move of [paid, { to: "accepted", dueAt: start }] as const)
    expect(() => applyMove(row, move)).toThrow("cannot go from dead")
})

it("a failure ends the grant and is booked once, also when it is reported again", () => {
  const failed = { to: "failed", failure: "expired", dueAt: start } as const
  const once = applyMove(accepted, failed)
  expect(once).toMatchObject({ entry: "failed", endsGrant: true })
  expect(applyMove(once.redemption, failed)).toMatchObject({ entry: null, endsGrant: false })
})
