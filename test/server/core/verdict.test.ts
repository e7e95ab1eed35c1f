import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Redemption } from "../../../server/core/redemption.ts"
import {
  depthOf,
  type Examined,
  type Finding,
  judge,
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

  it("SET-29: a refused simulation against a good reading fails no payer without code", () => {
    const doubt = { failure: "refused_by_asset", sinceBlock: 1n } as const
    const redemption = at("accepted", { attempts: 9 })
    expect(judge(examined({ redemption, refused: true, doubt }))).toMatchObject({ kind: "wait", doubt: null })
    const reading = { ...good, payerCode: `0x${"c0".repeat(32)}` } as const
    expect(judge(examined({ redemption, reading, refused: true })).kind).toBe("wait")
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
    ["insufficient_funds", { balance: value - 1n }, 0],
    ["contract_payer", { payerCode: `0x${"c0".repeat(32)}` }, 0],
    ["refused_by_asset", {}, 3],
    ["refused_by_asset", { transferred: true, received: value - 1n }, 3],
  ] as const)(
    "doubts %s at first and fails with a last check when it is seen again",
    (failure, change, attempts) => {
      const reading = { ...refused, ...change }
      const first = judge(examined({ reading }))
      const doubt = { failure, sinceBlock: 100n }
      expect(first).toEqual({ kind: "wait", seconds: 1, doubt })
      expect(judge(examined({ reading, doubt, redemption: at("accepted", { attempts }) }))).toEqual({
        kind: "move",
        move: { to: "failed", failure, dueAt: Number(validBefore) + 60 },
      })
    },
  )

  it("starts a new doubt when the reason changes", () => {
    const reading = { ...refused, balance: 0n }
    const doubt = { failure: "refused_by_asset", sinceBlock: 10n } as const
    const seen = judge(examined({ reading, doubt, redemption: at("accepted", { attempts: 9 }) }))
    expect(seen).toMatchObject({
      kind: "wait",
      doubt: { failure: "insufficient_funds", sinceBlock: 100n },
    })
  })

  it("turns a doubt into a failure at confirmation depth only", () => {
    const reading = { ...refused, balance: 0n, blockNumber: 104n }
    const doubt = { failure: "insufficient_funds", sinceBlock: 100n } as const
    expect(judge(examined({ reading, doubt, confirmations: 6 }))).toMatchObject({ kind: "wait", doubt })
    expect(judge(examined({ reading, doubt, confirmations: 5 })).kind).toBe("move")
  })

  it("gives a refusing asset three attempts with growing pauses", () => {
    const doubt = { failure: "refused_by_asset", sinceBlock: 99n } as const
    for (const attempts of [0, 1, 2])
      expect(
        judge(examined({ reading: refused, doubt, redemption: at("accepted", { attempts }), chance: 0.999 })),
      ).toEqual({ kind: "wait", seconds: 2 ** attempts, doubt })
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
