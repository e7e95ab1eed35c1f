import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Redemption } from "../../../server/core/redemption.ts"
import {
  depthOf,
  type Examined,
  type Finding,
  judge,
  judgeRefused,
  moveOf,
  type TransferReading,
  type Verdict,
} from "../../../server/core/verdict.ts"
import type { TransferOutcome } from "../../../shared/schemes/scheme.ts"

const payer = `0x${"a1".repeat(20)}` as const
const validBefore = 2_000n
const value = 10_000n

const redemption: Redemption = {
  key: "key",
  grantId: "grant",
  network: "eip155:1",
  scheme: "exact",
  asset: `0x${"a5".repeat(20)}`,
  transfer: {
    payer,
    payTo: `0x${"b2".repeat(20)}`,
    value,
    validAfter: 0n,
    validBefore,
    nonce: `0x${"01".repeat(32)}`,
    signature: "0x",
  },
  policy: "background",
  payerCode: null,
  nominal: 10_000n,
  state: "accepted",
  fromBlock: 90n,
  acceptedAt: 900,
  dueAt: 900,
  attempts: 0,
  transactionId: null,
  evidence: null,
  failure: null,
  lastError: null,
  topUp: null,
}

const good: TransferReading = {
  payerCode: null,
  balance: value,
  used: false,
  transferred: true,
  received: value,
  blockNumber: 100n,
  blockTime: 1_000,
}
const used: TransferReading = { ...good, used: true, transferred: false, received: 0n }
const refused: TransferReading = { ...good, transferred: false, received: 0n }
const block = { transactionHash: "0x7a", blockNumber: 100n, blockHash: "0xb1" } as const

const examined = (change: Partial<Examined> = {}): Examined => ({
  redemption,
  reading: good,
  findings: [],
  tried: false,
  refused: false,
  doubt: null,
  confirmations: 1,
  blockSeconds: 12,
  now: 1_000,
  chance: 0,
  ...change,
})
const finding = (outcome: TransferOutcome): Finding => ({ outcome, block })
const at = (state: Redemption["state"], change: Partial<Redemption> = {}): Redemption => ({
  ...redemption,
  state,
  ...change,
})
const moved = (verdict: Verdict, changes: Examined) => moveOf(verdict, { ...changes, maxAttempts: 30 })
const failedRow = at("failed", { failure: "insufficient_funds" })
const suspendedRow = at("suspended", { failure: "refused_by_asset" })

describe("an unused nonce", () => {
  it("sends a payment whose simulation succeeds", () => {
    expect(judge(examined())).toEqual({ kind: "send" })
    expect(judge(examined({ reading: { ...good, payerCode: `0x${"c0".repeat(32)}` } }))).toEqual({
      kind: "send",
    })
  })

  it("SET-29: draws no doubt from a block older than the accepted read", () => {
    const reading = { ...refused, balance: 0n, blockNumber: redemption.fromBlock - 1n }
    expect(judge(examined({ reading }))).toMatchObject({ kind: "wait", doubt: null })
    const doubt = { failure: "insufficient_funds", sinceBlock: 1n } as const
    expect(judge(examined({ reading, doubt }))).toMatchObject({ kind: "wait", doubt: null })
  })

  it("SET-29: one refused simulation against a good reading stops no plain payer", () => {
    const first = judge(examined({ refused: true }))
    const doubt = { failure: null, sinceBlock: 100n }
    expect(first).toEqual({ kind: "wait", seconds: 1, doubt })
    expect(judge(examined({ refused: true, doubt }))).toEqual(first)
    expect(judge(examined({ doubt }))).toEqual({ kind: "send" })
  })

  it("SET-29: a transfer that no node simulates is suspended in a second block", () => {
    const doubt = { failure: null, sinceBlock: 99n }
    const move = {
      to: "suspended",
      failure: null,
      dueAt: 1_001,
      error: "the transfer could not be simulated",
    }
    expect(judge(examined({ refused: true, doubt }))).toEqual({ kind: "move", move })
    const seen = { failure: null, sinceBlock: 100n }
    expect(judgeRefused({ redemption, doubt, now: 1_000, chance: 0 }, seen)).toEqual({ kind: "move", move })
  })

  it("fails as expired once a block is too late for the payment", () => {
    const late = { ...refused, blockTime: Number(validBefore) }
    expect(judge(examined({ reading: late }))).toEqual({
      kind: "move",
      move: { to: "failed", failure: "expired", dueAt: null },
    })
    expect(judge(examined({ reading: { ...late, blockTime: late.blockTime - 1 } })).kind).toBe("wait")
  })

  it("fails as expired only when that block is confirmed", () => {
    const reading = { ...refused, blockTime: Number(validBefore) + 23 }
    expect(judge(examined({ reading, confirmations: 3 })).kind).toBe("wait")
    const deeper = { ...reading, blockTime: Number(validBefore) + 24 }
    expect(judge(examined({ reading: deeper, confirmations: 3 })).kind).toBe("move")
  })

  it.each([
    ["insufficient_funds", { balance: value - 1n }],
    ["refused_by_asset", {}],
    ["refused_by_asset", { transferred: true, received: value - 1n }],
  ] as const)(
    "a refusal (%s) suspends the payment in a second block, never in the same",
    (failure, change) => {
      const reading = { ...refused, ...change }
      const doubt = { failure, sinceBlock: 100n }
      const wait = { kind: "wait", seconds: 1, doubt }
      expect(judge(examined({ reading }))).toEqual(wait)
      expect(judge(examined({ reading, doubt, redemption: at("accepted", { attempts: 29 }) }))).toEqual(wait)
      const later = { ...reading, blockNumber: 101n }
      expect(judge(examined({ reading: later, doubt, confirmations: 64 }))).toEqual({
        kind: "move",
        move: {
          to: "suspended",
          failure,
          dueAt: 1_001,
          error: `the transfer does not go through (${failure})`,
        },
      })
      const older = { ...reading, blockNumber: 99n }
      expect(judge(examined({ reading: older, doubt })).kind).toBe("wait")
    },
  )

  it("a refusal for another reason in the second block suspends it as well", () => {
    const reading = { ...refused, balance: 0n }
    const doubt = { failure: "refused_by_asset", sinceBlock: 99n } as const
    expect(judge(examined({ reading, doubt }))).toMatchObject({
      move: { to: "suspended", failure: "insufficient_funds" },
    })
  })

  const code = `0x${"c0".repeat(32)}` as const
  it.each([
    ["at the sale", { redemption: at("accepted", { payerCode: code }) }, {}],
    ["since the sale", {}, { payerCode: code }],
    ["since it was suspended", { redemption: suspendedRow }, { payerCode: code }],
  ] as const)("a payer with code %s is never suspended, and fails in the second block", (_, change, read) => {
    const doubt = { failure: "contract_payer", sinceBlock: 100n } as const
    const judged = (blockNumber: bigint, more: Partial<Examined> = {}) =>
      judge(examined({ ...change, reading: { ...refused, ...read, blockNumber }, ...more }))
    expect(judged(100n)).toMatchObject({ kind: "wait", doubt })
    expect(judged(100n, { doubt })).toMatchObject({ kind: "wait", doubt })
    expect(judged(101n, { doubt, confirmations: 3 })).toMatchObject({ kind: "wait", doubt })
    expect(judged(101n, { doubt: { ...doubt, failure: "refused_by_asset" } })).toMatchObject({
      kind: "wait",
      doubt: { failure: "contract_payer", sinceBlock: 101n },
    })
    const move = { to: "failed", failure: "contract_payer", dueAt: Number(validBefore) + 60 }
    expect(judged(101n, { doubt, confirmations: 2 })).toEqual({ kind: "move", move })
  })
})

describe("a suspended payment", () => {
  const redemption = suspendedRow
  it("is sent as soon as its simulation succeeds", () => {
    expect(judge(examined({ redemption }))).toEqual({ kind: "send" })
  })

  it("stays suspended while it is refused, with the newest reason", () => {
    fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempts, chance) => {
        const row = { ...redemption, attempts }
        const reading = { ...refused, balance: 0n }
        const verdict = judge(examined({ redemption: row, reading, chance }))
        expect(verdict).toMatchObject({ move: { to: "suspended", failure: "insufficient_funds" } })
        const move = verdict.kind === "move" && verdict.move
        expect(move && "dueAt" in move && move.dueAt).toSatisfy(
          (dueAt: number) => dueAt > 1_000 && dueAt <= 1_008,
        )
      }),
    )
    const unread = judge(examined({ redemption, refused: true }))
    expect(unread).toMatchObject({ move: { to: "suspended", failure: "refused_by_asset" } })
  })

  it("fails with its reason once a block is too late, and as expired without one", () => {
    const reading = { ...refused, blockTime: Number(validBefore) }
    const failed = (failure: string) => ({ kind: "move", move: { to: "failed", failure, dueAt: null } })
    expect(judge(examined({ redemption, reading }))).toEqual(failed("refused_by_asset"))
    const unread = { ...redemption, failure: null }
    expect(judge(examined({ redemption: unread, reading }))).toEqual(failed("expired"))
  })

  it("waits for the depth of its transfer, and is paid then", () => {
    const findings = [finding({ kind: "paid", logIndex: 7 })]
    expect(judge(examined({ redemption, reading: used, findings }))).toMatchObject({ move: { to: "paid" } })
    const early = examined({ redemption, reading: used, findings, confirmations: 2 })
    expect(moved(judge(early), early)).toMatchObject({ to: "suspended", failure: "refused_by_asset" })
  })

  it("SET-41: never becomes dead, however often its transaction does not pay", () => {
    const changes = examined({ redemption: { ...redemption, attempts: 1_000 } })
    expect(moved({ kind: "send" }, changes)).toMatchObject({ to: "suspended" })
  })
})

describe("a used nonce", () => {
  it("decides nothing without a log, because the node may lag", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Redemption["state"]>("accepted", "sent", "failed"),
        fc.nat(1000),
        fc.nat(10_000),
        fc.integer({ min: 1, max: 64 }),
        fc.array(fc.constant(finding({ kind: "silent" })), { maxLength: 3 }),
        (state, attempts, blockTime, confirmations, findings) => {
          const row = state === "failed" ? failedRow : at(state, { attempts })
          const verdict = judge(
            examined({ redemption: row, reading: { ...used, blockTime }, confirmations, findings }),
          )
          expect(verdict.kind).toBe("wait")
        },
      ),
    )
  })

  it("SET-12: counts a matching transfer as paid, whatever its sender", () => {
    const findings = [finding({ kind: "paid", logIndex: 7 })]
    const evidence = { ...block, logIndex: 7 }
    expect(judge(examined({ reading: used, findings }))).toEqual({
      kind: "move",
      move: { to: "paid", evidence },
    })
    expect(judge(examined({ reading: used, findings, confirmations: 2 }))).toEqual({
      kind: "move",
      move: { to: "mined", evidence },
    })
  })

  it("SET-12: prefers a paid log to any other finding", () => {
    const findings = [finding({ kind: "diverted" }), finding({ kind: "paid", logIndex: 7 })]
    expect(judge(examined({ reading: used, findings }))).toMatchObject({ move: { to: "paid" } })
  })

  it.each([
    ["cancelled", { kind: "cancelled" }],
    ["diverted", { kind: "diverted" }],
    ["short", { kind: "short", received: 1n }],
  ] as const)("SET-05, SET-14: fails as %s for good, at confirmation depth", (failure, outcome) => {
    const findings = [finding(outcome)]
    expect(judge(examined({ reading: used, findings }))).toEqual({
      kind: "move",
      move: { to: "failed", failure, dueAt: null },
    })
    expect(judge(examined({ reading: used, findings, confirmations: 2 })).kind).toBe("wait")
  })
})

describe("the last check of a failed payment", () => {
  it("turns the failure into paid when a confirmed transfer is found", () => {
    const findings = [finding({ kind: "paid", logIndex: 7 })]
    const changes = { redemption: failedRow, reading: used, findings }
    expect(judge(examined(changes))).toMatchObject({ kind: "move", move: { to: "paid" } })
    const early = examined({ ...changes, confirmations: 2 })
    expect(moved(judge(early), early)).toMatchObject({ to: "failed", failure: "insufficient_funds" })
  })

  it("makes the failure final once it is too late for any block", () => {
    const reading = { ...refused, blockTime: Number(validBefore) }
    expect(judge(examined({ redemption: failedRow, reading }))).toEqual({
      kind: "move",
      move: { to: "failed", failure: "insufficient_funds", dueAt: null },
    })
  })

  it("makes the failure final and keeps its reason when a cancellation is found", () => {
    const findings = [finding({ kind: "cancelled" })]
    expect(judge(examined({ redemption: failedRow, reading: used, findings }))).toEqual({
      kind: "move",
      move: { to: "failed", failure: "insufficient_funds", dueAt: null },
    })
  })

  it("never sends the payment again, although its simulation succeeds", () => {
    const verdict = judge(examined({ redemption: failedRow }))
    expect(verdict).toEqual({ kind: "wait", seconds: 1_060, doubt: null })
  })
})

it("a payment whose late money a reorg removed fails again, and is never sent", () => {
  const redemption = at("accepted", { failure: "contract_payer", attempts: 1 })
  expect(judge(examined({ redemption }))).toEqual({
    kind: "move",
    move: { to: "failed", failure: "contract_payer", dueAt: Number(validBefore) + 60 },
  })
})

describe("moveOf", () => {
  const wait = { kind: "wait", seconds: 5, doubt: null } as const
  it("keeps a waiting payment accepted, or failed, and schedules the next check", () => {
    expect(moved(wait, examined())).toMatchObject({ to: "accepted", dueAt: 1_005 })
    expect(moved(wait, examined({ redemption: failedRow }))).toEqual({
      to: "failed",
      failure: "insufficient_funds",
      dueAt: 1_060,
    })
  })

  it("SET-41: moves to dead after the last attempt, but never a failed payment", () => {
    const attempts = 29
    for (const verdict of [wait, { kind: "send" }] as const)
      expect(moved(verdict, examined({ redemption: at("accepted", { attempts }) }))).toMatchObject({
        to: "dead",
      })
    expect(moved(wait, examined({ redemption: at("accepted", { attempts: 28 }) })).to).toBe("accepted")
    expect(moved(wait, examined({ redemption: { ...failedRow, attempts } })).to).toBe("failed")
    const doubt = { failure: "refused_by_asset", sinceBlock: 1n } as const
    expect(moved({ ...wait, doubt }, examined())).toMatchObject({
      error: "the transfer does not go through (refused_by_asset)",
    })
  })

  it("retries a payment that simulates well but did not pay, ever more slowly", () => {
    expect(moved({ kind: "send" }, examined())).toMatchObject({ to: "accepted", dueAt: 1_000 })
    const again = examined({ redemption: at("sent", { attempts: 3 }), chance: 0.999 })
    expect(moved({ kind: "send" }, again)).toMatchObject({ to: "accepted", dueAt: 1_008 })
  })
})

it("depth counts the block itself", () => {
  expect(depthOf(100n, 100n)).toBe(1)
  expect(depthOf(100n, 111n)).toBe(12)
  expect(depthOf(101n, 100n)).toBe(0)
})
