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
  losers: [],
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

  /** The losses of a day by several payers, who have settled payments or none. */
  const losersOf = (lost: bigint, isFunded = false, count = 2): Pick<Exposure, "lost" | "losers"> => ({
    lost,
    losers: Array.from({ length: count }, () => ({ nominal: lost / BigInt(count), isFunded })),
  })

  it("a payer with three settled payments keeps its limit while the breaker is open", () => {
    const payer = { unsettled: 0n, open: 0, settled: 2, failed: 0 }
    const open = {
      ...losersOf(limits.dailyLoss, true),
      breaker: { ...closedBreaker, lastLossAt: start },
    }
    expect(verdict({}, { ...open, payer })).toBe("dailyLoss")
    const trusted = { ...payer, settled: 3 }
    expect(verdict({}, { ...open, payer: trusted })).toBe("background")
    expect(verdict({}, { ...open, payer: { ...trusted, unsettled: 995_000n } })).toBe("perPayer")
  })

  it("SET-53: the losses of one wallet open the breaker for no other payer", () => {
    const breaker = { ...closedBreaker, lastLossAt: start }
    const lost = 2n * limits.dailyLoss
    for (const isFunded of [true, false])
      expect(verdict({}, { ...losersOf(lost, isFunded, 1), breaker })).toBe("background")
    expect(verdict({}, { ...losersOf(lost), breaker })).toBe("dailyLoss")
  })

  it("SET-53: wallets that never paid open the breaker for new payers only", () => {
    const breaker = { ...closedBreaker, lastLossAt: start }
    const payer = { unsettled: 0n, open: 0, settled: 1, failed: 0 }
    const free = losersOf(limits.dailyLoss, false, 500)
    expect(verdict({}, { ...free, breaker })).toBe("dailyLoss")
    expect(verdict({}, { ...free, breaker, payer })).toBe("background")
    const mixed = { ...free, losers: [...free.losers, { nominal: limits.dailyLoss, isFunded: true }] }
    expect(verdict({}, { ...mixed, breaker, payer })).toBe("background")
    expect(verdict({}, { ...losersOf(limits.dailyLoss, true), breaker, payer })).toBe("dailyLoss")
  })

  it("SET-04: no payer is trusted beyond the daily loss limit plus the total", () => {
    const payer = { unsettled: 0n, open: 0, settled: 100, failed: 0 }
    const lost = 20_000_000n
    expect(verdict({}, { lost, unsettled: 34_990_000n, payer })).toBe("background")
    expect(verdict({}, { lost, unsettled: 34_990_001n, payer })).toBe("dailyLoss")
  })

  it("the breaker closes when the losses of a day are below the limit", () => {
    const breaker = { lastLossAt: start, minute: 0, probes: 0 }
    expect(verdict({}, { ...losersOf(limits.dailyLoss), breaker })).toBe("dailyLoss")
    expect(verdict({}, { ...losersOf(limits.dailyLoss - 2n), breaker })).toBe("background")
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
          // A wallet keeps at most its unsettled value at its first failure: N wallets keep N times that.
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
  }, 120_000)
})

/** A step of wallets that share their money: a purchase, its outcome, a move of all money, or time. */
const attack = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ what: fc.constant("buy" as const), wallet: fc.nat(9), price: fc.nat(2) }),
    },
    { weight: 4, arbitrary: fc.record({ what: fc.constantFrom("keep" as const, "pay"), which: fc.nat(99) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("wait" as const), seconds: fc.nat(5000) }) },
  ),
  { minLength: 20, maxLength: 200, size: "max" },
)

it("SET-53: what N wallets with M money force: no breaker for paying customers below two real payments", () => {
  let [opened, spared] = [0, 0]
  fc.assert(
    fc.property(
      attack,
      fc.integer({ min: 1, max: 10 }),
      fc.bigInt({ min: 1n, max: 40n }),
      (steps, wallets, money) => {
        type Row = { wallet: number; value: bigint; state: "open" | "kept" | "paid"; at: number }
        const rows: Row[] = []
        const sum = (found: readonly Row[]) => found.reduce((total, { value }) => total + value, 0n)
        let now = start
        let left = money
        const exposureOf = (wallet: number): Exposure => {
          const mine = (state: Row["state"]) =>
            rows.filter((row) => row.wallet === wallet && row.state === state)
          const losses = rows.filter(({ state, at }) => state === "kept" && at > now - lossWindowSeconds)
          const losers = [...new Set(losses.map((row) => row.wallet))].map((loser) => ({
            nominal: sum(losses.filter((row) => row.wallet === loser)),
            isFunded: rows.some((row) => row.wallet === loser && row.state === "paid"),
          }))
          const open = rows.filter(({ state }) => state === "open")
          return {
            ...idle,
            // The money is wherever it is needed, so that each wallet can show all that is left of it.
            pending: sum(mine("open")),
            payer: {
              unsettled: sum(mine("open")),
              open: mine("open").length,
              settled: mine("paid").length,
              failed: mine("kept").length,
            },
            unsettled: sum(open),
            lost: sum(losses),
            losers,
            breaker: { ...closedBreaker, lastLossAt: Math.max(0, ...losses.map(({ at }) => at)) },
          }
        }
        const admitted = (wallet: number, value: bigint, payer?: Exposure["payer"]) => {
          const standing = exposureOf(wallet)
          const request = { ...claim, nominal: value, value, balance: left, now }
          return admit(request, payer ? { ...standing, payer, pending: 0n } : standing, small)
        }
        for (const step of steps) {
          if (step.what === "wait") now += step.seconds
          if (step.what === "buy") {
            const [wallet, value] = [step.wallet % wallets, BigInt(step.price + 1)]
            const verdict = admitted(wallet, value)
            if (verdict.kind === "admitted" && verdict.policy === "background")
              rows.push({ wallet, value, state: "open", at: now })
          }
          if (step.what === "keep" || step.what === "pay") {
            const open = rows.filter(({ state }) => state === "open")
            const row = open[step.which % (open.length || 1)]
            const canPay = row && step.what === "pay" && row.value <= left
            if (row) Object.assign(row, { state: canPay ? "paid" : "kept", at: now })
            if (row && canPay) left -= row.value
          }
          const { losers, lost, unsettled } = exposureOf(-1)
          expect(lost <= small.dailyLoss + small.total).toBe(true)
          for (const { nominal } of losers) expect(nominal <= small.perPayer).toBe(true)
          // A customer who has paid once, and stands within the bound on all losses.
          const honest = { unsettled: 0n, open: 0, settled: 1, failed: 0 }
          left += 1n
          const verdict = admitted(-1, 1n, honest)
          left -= 1n
          const isWithin =
            lost + unsettled + 1n <= small.dailyLoss + small.total && unsettled + 1n <= small.total
          if (!isWithin || verdict.kind !== "admitted") continue
          const payers = losers.filter(({ isFunded }) => isFunded).length
          if (verdict.policy === "first") {
            opened += 1
            expect(verdict.limit).toBe("dailyLoss")
            expect(payers).toBeGreaterThanOrEqual(2)
            // Opening it costs at least two payments that arrived.
            expect(money - left).toBeGreaterThanOrEqual(2n)
          } else if (lost >= small.dailyLoss) spared += 1
        }
      },
    ),
    { numRuns: 300 },
  )
  // Walks that never open the breaker, or never come near, would prove nothing.
  expect([opened > 0, spared > 0]).toEqual([true, true])
})
