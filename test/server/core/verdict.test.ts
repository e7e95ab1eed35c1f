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
  payerHasCode: false,
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
const moved = (verdict: Verdict, look: Examined) => moveOf(verdict, { ...look, maxAttempts: 30 })
const failedRow = at("failed", { failure: "insufficient_funds" })

describe("an unused nonce", () => {
  it("a transfer that goes through is sent", () => {
    expect(judge(examined())).toEqual({ kind: "send" })
    expect(judge(examined({ reading: { ...good, payerHasCode: true } }))).toEqual({ kind: "send" })
  })

  it("is expired for good once a block is too late for it", () => {
    const late = { ...refused, blockTime: Number(validBefore) }
    expect(judge(examined({ reading: late }))).toEqual({
      kind: "move",
      move: { to: "failed", failure: "expired", dueAt: null },
    })
    expect(judge(examined({ reading: { ...late, blockTime: late.blockTime - 1 } })).kind).toBe("wait")
  })

  it("is expired only when that block is deep enough", () => {
    const reading = { ...refused, blockTime: Number(validBefore) + 23 }
    expect(judge(examined({ reading, confirmations: 3 })).kind).toBe("wait")
    const deeper = { ...reading, blockTime: Number(validBefore) + 24 }
    expect(judge(examined({ reading: deeper, confirmations: 3 })).kind).toBe("move")
  })

  it.each([
    ["insufficient_funds", { balance: value - 1n }, 0],
    ["contract_payer", { payerHasCode: true }, 0],
    ["refused_by_asset", {}, 3],
    ["refused_by_asset", { transferred: true, received: value - 1n }, 3],
  ] as const)(
    "%s is a doubt at first, and a failure with a last look when it is seen again",
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

  it("a doubt of another kind starts anew", () => {
    const reading = { ...refused, balance: 0n }
    const doubt = { failure: "refused_by_asset", sinceBlock: 10n } as const
    const seen = judge(examined({ reading, doubt, redemption: at("accepted", { attempts: 9 }) }))
    expect(seen).toMatchObject({
      kind: "wait",
      doubt: { failure: "insufficient_funds", sinceBlock: 100n },
    })
  })

  it("a doubt becomes a failure at confirmation depth only", () => {
    const reading = { ...refused, balance: 0n, blockNumber: 104n }
    const doubt = { failure: "insufficient_funds", sinceBlock: 100n } as const
    expect(judge(examined({ reading, doubt, confirmations: 6 }))).toMatchObject({ kind: "wait", doubt })
    expect(judge(examined({ reading, doubt, confirmations: 5 })).kind).toBe("move")
  })

  it("a refusing asset gets three tries, with growing pauses", () => {
    const doubt = { failure: "refused_by_asset", sinceBlock: 99n } as const
    for (const attempts of [0, 1, 2])
      expect(
        judge(examined({ reading: refused, doubt, redemption: at("accepted", { attempts }), chance: 0.999 })),
      ).toEqual({ kind: "wait", seconds: 2 ** attempts, doubt })
  })
})

describe("a used nonce", () => {
  it("without a log is a node that lags: nothing is ever decided", () => {
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

  it("SET-12: a matching transfer counts, whoever sent it", () => {
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

  it("SET-12: of several findings the money decides", () => {
    const findings = [finding({ kind: "diverted" }), finding({ kind: "paid", logIndex: 7 })]
    expect(judge(examined({ reading: used, findings }))).toMatchObject({ move: { to: "paid" } })
  })

  it.each([
    ["cancelled", { kind: "cancelled" }],
    ["diverted", { kind: "diverted" }],
    ["short", { kind: "short", received: 1n }],
  ] as const)("SET-05, SET-14: %s is a failure for good, at confirmation depth", (failure, outcome) => {
    const findings = [finding(outcome)]
    expect(judge(examined({ reading: used, findings }))).toEqual({
      kind: "move",
      move: { to: "failed", failure, dueAt: null },
    })
    expect(judge(examined({ reading: used, findings, confirmations: 2 })).kind).toBe("wait")
  })
})

describe("the last look at a failure", () => {
  it("money that came all the same undoes it, when it is in for good", () => {
    const findings = [finding({ kind: "paid", logIndex: 7 })]
    const look = { redemption: failedRow, reading: used, findings }
    expect(judge(examined(look))).toMatchObject({ kind: "move", move: { to: "paid" } })
    const early = examined({ ...look, confirmations: 2 })
    expect(moved(judge(early), early)).toMatchObject({ to: "failed", failure: "insufficient_funds" })
  })

  it("too late for any block, the failure is final and keeps its name", () => {
    const reading = { ...refused, blockTime: Number(validBefore) }
    expect(judge(examined({ redemption: failedRow, reading }))).toEqual({
      kind: "move",
      move: { to: "failed", failure: "insufficient_funds", dueAt: null },
    })
  })

  it("found out to be cancelled, too, the failure is final and keeps its name", () => {
    const findings = [finding({ kind: "cancelled" })]
    expect(judge(examined({ redemption: failedRow, reading: used, findings }))).toEqual({
      kind: "move",
      move: { to: "failed", failure: "insufficient_funds", dueAt: null },
    })
  })

  it("is never sent again, though it would go through", () => {
    const verdict = judge(examined({ redemption: failedRow }))
    expect(verdict).toEqual({ kind: "wait", seconds: 1_060, doubt: null })
  })
})

describe("moveOf", () => {
  const wait = { kind: "wait", seconds: 5, doubt: null } as const
  it("waiting leaves a payment accepted and a failure failed, both to be looked at again", () => {
    expect(moved(wait, examined())).toMatchObject({ to: "accepted", dueAt: 1_005 })
    expect(moved(wait, examined({ redemption: failedRow }))).toEqual({
      to: "failed",
      failure: "insufficient_funds",
      dueAt: 1_060,
    })
  })

  it("SET-41: tried as often as allowed, a payment is dead; a failure is looked at again all the same", () => {
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

  it("what simulates well but was not paid is tried again at once, then more slowly", () => {
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
