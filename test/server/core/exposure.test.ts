import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  admit,
  changeOf,
  closedBreaker,
  type Exposure,
  type ExposureLimits,
  type ExposureRequest,
  lossWindowSeconds,
} from "../../../server/core/exposure.ts"
import type { Move, SettlePolicy } from "../../../server/core/redemption.ts"
import { openStore } from "../../../server/stores/index.ts"
import { evidenceOf, orderOf, start } from "../../support/orders.ts"

const limits: ExposureLimits = {
  queue: 10_000,
  perPayment: 100_000n,
  perPayer: 1_000_000n,
  newPayer: 1,
  total: 50_000_000n,
  dailyLoss: 5_000_000n,
  failedGas: 3_000_000,
}
const claim: ExposureRequest = {
  policy: "background",
  nominal: 10_000n,
  value: 10_000n,
  balance: 10_000n,
  validBefore: BigInt(start + 600),
  blockSeconds: 12,
  now: start,
}
const idle: Exposure = {
  queued: 0,
  pending: 0n,
  payer: { unsettled: 0n, open: 0, settled: 0, failed: 0 },
  unsettled: 0n,
  lost: 0n,
  breaker: closedBreaker,
}
const verdict = (changes: Partial<ExposureRequest>, standing: Partial<Exposure> = {}) => {
  const admission = admit({ ...claim, ...changes }, { ...idle, ...standing }, limits)
  if (admission.kind === "refused") return admission.reason
  return admission.limit ?? admission.policy
}

describe("exposure limits", () => {
  it("a payment over the limit per payment is settled first", () => {
    expect(verdict({ nominal: 100_000n })).toBe("background")
    expect(verdict({ nominal: 100_001n })).toBe("perPayment")
  })

  it("a settle-first payment stays so and counts as no exposure", () => {
    expect(verdict({ policy: "first", nominal: 10n ** 12n })).toBe("first")
  })

  it("SET-40: a payment that would expire in the queue is refused, under any policy", () => {
    expect(verdict({ validBefore: BigInt(start + 24) }, { queued: 499 })).toBe("background")
    expect(verdict({ validBefore: BigInt(start + 24) }, { queued: 500 })).toBe("queue_full")
    expect(verdict({ policy: "first" }, { queued: 10_000 })).toBe("queue_full")
  })

  it("SET-01, SET-02: the balance must cover pending value, also when settled first", () => {
    expect(verdict({ policy: "first" }, { pending: 1n })).toBe("insufficient_funds")
  })

  it("a payer with three settled payments keeps its limit while the breaker is open", () => {
    const lost = limits.dailyLoss
    const payer = { unsettled: 0n, open: 0, settled: 2, failed: 0 }
    const open = { lost, breaker: { ...closedBreaker, lastLossAt: start } }
    expect(verdict({}, { ...open, payer })).toBe("dailyLoss")
    const trusted = { ...payer, settled: 3 }
    expect(verdict({}, { ...open, payer: trusted })).toBe("background")
    expect(verdict({}, { ...open, payer: { ...trusted, unsettled: 995_000n } })).toBe("perPayer")
  })

  it("SET-04: no payer is trusted beyond the daily loss limit plus the total", () => {
    const payer = { unsettled: 0n, open: 0, settled: 100, failed: 0 }
    const lost = 20_000_000n
    expect(verdict({}, { lost, unsettled: 34_990_000n, payer })).toBe("background")
    expect(verdict({}, { lost, unsettled: 34_990_001n, payer })).toBe("dailyLoss")
  })

  it("the breaker closes when the losses of a day are below the limit", () => {
    const breaker = { lastLossAt: start, minute: 0, probes: 0 }
    expect(verdict({}, { lost: limits.dailyLoss, breaker })).toBe("dailyLoss")
    expect(verdict({}, { lost: limits.dailyLoss - 1n, breaker })).toBe("background")
  })
})

it("a payer whose payment failed pays first, on its own account, until the money arrives", async () => {
  const store = await openStore("memory:")
  const fence = (await store.lease({ holder: "a", seconds: 600, now: start }))?.fence ?? 0
  const [cheat, other] = [`0x${"c".repeat(40)}`, `0x${"d".repeat(40)}`] as const
  const policyOf = async (payer: `0x${string}`) => {
    const order = orderOf({ payer })
    const outcome = await store.redeem(order)
    if (outcome.kind !== "redeemed") throw new Error(outcome.kind)
    return { key: order.key, limit: outcome.limit, policy: outcome.redemption.policy }
  }
  const { key } = await policyOf(cheat)
  const conclude = (move: Move) => store.conclude({ fence, moves: [{ key, move }], now: start })
  await conclude({ to: "failed", failure: "expired", dueAt: start })
  expect(await policyOf(cheat)).toMatchObject({ policy: "first", limit: "failedPayer" })
  expect(await policyOf(other)).toMatchObject({ policy: "background", limit: null })
  await conclude({ to: "paid", evidence: evidenceOf() })
  expect(await policyOf(cheat)).toMatchObject({ policy: "background", limit: null })
  await store.close()
})

it("a settle-first payment counts neither as exposure nor as a loss", async () => {
  const store = await openStore("memory:")
  const sell = async (policy: SettlePolicy) => {
    const outcome = await store.redeem(orderOf({ policy }))
    if (outcome.kind !== "redeemed") throw new Error(outcome.kind)
    return outcome.redemption
  }
  const first = await sell("first")
  expect(changeOf(null, first)).toMatchObject({ queued: 1, unsettled: 0n, open: 0 })
  expect(changeOf(first, { ...first, state: "failed" })).toMatchObject({ queued: -1, lost: 0n })
  const background = await sell("background")
  expect(changeOf(null, background)).toMatchObject({ queued: 1, unsettled: 10_000n, open: 1 })
  expect(changeOf(background, { ...background, state: "failed" })).toMatchObject({ open: -1, lost: 10_000n })
  await store.close()
})

// Small limits and large payments, so that every limit is reached within a short walk.
const small: ExposureLimits = {
  queue: 1000,
  perPayment: 3n,
  perPayer: 5n,
  newPayer: 1,
  total: 12n,
  dailyLoss: 4n,
  failedGas: 3_000_000,
}
const walk = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ what: fc.constant("buy" as const), wallet: fc.nat(7), price: fc.nat(3) }),
    },
    { weight: 3, arbitrary: fc.record({ what: fc.constantFrom("fail" as const, "pay"), which: fc.nat(99) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("late" as const), which: fc.nat(99) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        what: fc.constant("wait" as const),
        seconds: fc.oneof(fc.nat(60), fc.nat(4000), fc.nat(90_000)),
      }),
    },
  ),
  { minLength: 20, maxLength: 150, size: "max" },
)

describe("the bound on losses", () => {
  it("SET-04: 24 hours lose at most the daily limit plus the total, for any wallets", async () => {
    let worst = 0n
    await fc.assert(
      fc.asyncProperty(walk, async (steps) => {
        const store = await openStore("memory:")
        const lease = await store.lease({ holder: "a", seconds: 10 ** 9, now: start })
        const fence = lease?.fence ?? 0
        const open: { key: string; value: bigint; wallet: number }[] = []
        const lost: { key: string; value: bigint; wallet: number; at: number }[] = []
        let now = start
        const conclude = (key: string, move: Move) => store.conclude({ fence, moves: [{ key, move }], now })
        for (const step of steps) {
          if (step.what === "wait") now += step.seconds
          if (step.what === "buy") {
            const value = BigInt(step.price + 1)
            const payer = `0x${step.wallet.toString(16).padStart(40, "0")}` as const
            const order = orderOf({ payer, now, limits: small, transfer: { value } })
            const outcome = await store.redeem(order)
            if (outcome.kind === "redeemed" && outcome.redemption.policy === "background")
              open.push({ key: order.key, value, wallet: step.wallet })
          }
          if (step.what === "pay" || step.what === "fail") {
            const [row] = open.splice(step.which % (open.length || 1), 1)
            if (row && step.what === "pay") await conclude(row.key, { to: "paid", evidence: evidenceOf() })
            if (row && step.what === "fail") {
              await conclude(row.key, { to: "failed", failure: "expired", dueAt: now })
              lost.push({ ...row, at: now })
            }
          }
          if (step.what === "late") {
            const [row] = lost.splice(step.which % (lost.length || 1), 1)
            if (row) await conclude(row.key, { to: "paid", evidence: evidenceOf() })
          }
          const recent = lost.filter(({ at }) => at > now - lossWindowSeconds)
          const sum = recent.reduce((total, { value }) => total + value, 0n)
          if (sum > worst) worst = sum
          // A wallet keeps at most what it had unsettled when its first payment failed: N wallets lose N times that.
          for (let wallet = 0; wallet < 8; wallet++) {
            const losses = lost.filter((row) => row.wallet === wallet)
            expect(losses.reduce((total, { value }) => total + value, 0n) <= small.perPayer).toBe(true)
          }
          expect(sum <= small.dailyLoss + small.total).toBe(true)
        }
        await store.close()
      }),
      { numRuns: 100 },
    )
    // A walk without losses would prove nothing.
    expect(worst > small.dailyLoss).toBe(true)
  })
})
