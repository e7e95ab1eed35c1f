/** Random outcomes in random order: no gate, wallet or seller makes a call pay twice or repeat a forbidden step. */
import fc from "fast-check"
import { expect, test } from "vitest"
import {
  advance,
  beginCall,
  type CallState,
  type Outcome,
  type Step,
} from "../../../client/core/call-state.ts"

const token = fc.constantFrom("none", "fresh", "dying" as const)
const held = fc.constantFrom("fresh", "dying" as const)
const kinds = (...all: Outcome["kind"][]): fc.Arbitrary<Outcome> =>
  fc.constantFrom(...all.map((kind) => ({ kind }) as Outcome))
const granted = fc.record({ kind: fc.constant("granted" as const), token: held })
const answers = fc.oneof(
  kinds("answered", "payment_required", "payment_required", "payment_required"),
  fc.record({ kind: fc.constant("redirected" as const), token }),
  fc.record({
    kind: fc.constant("unauthorized" as const),
    byGate: fc.boolean(),
    isRepeatable: fc.boolean(),
    secondsAhead: fc.constantFrom(0, 8, 300),
  }),
)
const offered = fc.record({
  kind: fc.constant("offered" as const),
  sells: fc.constantFrom("token", "call" as const),
  rejectsToken: fc.boolean(),
})
const bought = fc.record({ kind: fc.constant("bought" as const), isNew: fc.boolean(), token: held })

/** The outcomes that each step can have. */
const outcomes: Record<Exclude<Step, "return" | "refuse">, fc.Arbitrary<Outcome>> = {
  send: answers,
  payForCall: answers,
  readOffers: fc.oneof(kinds("answered"), offered, offered, offered),
  reread: fc.oneof(granted, kinds("ended", "unchanged")),
  wait: granted,
  refresh: fc.oneof(granted, kinds("ended")),
  find: fc.oneof(granted, kinds("missing", "missing")),
  prove: fc.oneof(granted, kinds("missing")),
  buy: fc.oneof(bought, kinds("offers_changed", "offers_changed"), kinds("offers_changed")),
  recordRefusal: kinds("answered"),
}

type Course = {
  readonly steps: readonly { readonly state: CallState; readonly outcome: Outcome }[]
  end: CallState
}

function run(seed: number, start: { token: "none" | "fresh" | "dying"; mayProve: boolean }): Course {
  let state = beginCall(start)
  const steps: { state: CallState; outcome: Outcome }[] = []
  for (let at = 0; state.step !== "return" && state.step !== "refuse" && at < 60; at++) {
    const outcome = fc.sample(outcomes[state.step], { numRuns: 1, seed: seed + at })[0]!
    steps.push({ state, outcome })
    state = advance(state, outcome)
  }
  return { steps, end: state }
}

const courses = fc
  .tuple(fc.integer(), fc.record({ token, mayProve: fc.boolean() }))
  .map(([seed, start]) => run(seed, start))
const holds = (claim: (course: Course) => void) => fc.assert(fc.property(courses, claim), { numRuns: 2_000 })
const at = ({ steps }: Course, step: Step) => steps.filter(({ state }) => state.step === step)

test("CLI-02: a call makes at most one payment that is taken", () => {
  holds((course) => {
    const taken = at(course, "buy").filter(({ outcome }) => outcome.kind === "bought" && outcome.isNew)
    expect(taken.length + at(course, "payForCall").length).toBeLessThanOrEqual(1)
  })
})

test("CLI-02: a call signs at most once more after a refused payment", () => {
  holds((course) => {
    const refused = at(course, "buy").filter(({ outcome }) => outcome.kind === "offers_changed")
    expect(refused.length).toBeLessThanOrEqual(2)
    if (refused.length === 2) expect(course.end.step).toBe("refuse")
  })
})

test("CLI-13: a call refreshes at most once and asks for a free grant at most once", () => {
  holds((course) => {
    expect(at(course, "refresh").length).toBeLessThanOrEqual(1)
    expect(at(course, "prove").length).toBeLessThanOrEqual(1)
  })
})

test("CLI-17: a request that must not be repeated is not sent after a handler's 401", () => {
  holds(({ steps }) => {
    const last = steps.findIndex(
      ({ outcome }) => outcome.kind === "unauthorized" && !outcome.byGate && !outcome.isRepeatable,
    )
    if (last >= 0) expect(steps.slice(last + 1)).toEqual([])
  })
})

test("a call buys only for a 402 that it has read", () => {
  holds(({ steps }) => {
    for (const [index, { state }] of steps.entries())
      if (state.step === "buy" || state.step === "payForCall") {
        const before = steps.slice(0, index).map(({ state }) => state.step)
        expect(before.lastIndexOf("readOffers")).toBeGreaterThan(before.lastIndexOf("send"))
      }
  })
})

test("a call ends, unless others keep giving it new grants or redirects", () => {
  holds((course) => {
    const isNews = ({ outcome }: Course["steps"][number]) =>
      outcome.kind === "granted" ||
      outcome.kind === "redirected" ||
      (outcome.kind === "bought" && !outcome.isNew)
    const news = course.steps.filter(isNews).length
    expect(course.steps.length).toBeLessThanOrEqual(14 + 6 * news)
  })
})
