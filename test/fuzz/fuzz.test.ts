import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { fuzz } from "./run.ts"
import { fuzzAll } from "./session.ts"

describe("the fuzzers", () => {
  it("PRS-06, PRS-12, PRS-16, TOK-29: inputs cause no 5xx, untyped error, hang or leak", async () => {
    const tallies = await fuzzAll({ inputs: 3000, seed: Math.floor(Math.random() * 2 ** 30) })
    expect(
      tallies.map(({ name, violation }) => violation && `${name}: ${violation}`).filter(Boolean),
    ).toEqual([])
    expect(tallies.reduce((sum, { inputs }) => sum + inputs, 0)).toBeGreaterThanOrEqual(3000)
    // If mutations only broke inputs, the run would test the first check of each reader and nothing after it.
    const seen = new Map(tallies.map(({ name, outcomes }) => [name, [...outcomes.keys()]]))
    expect(seen.get("POST /token")).toEqual(
      expect.arrayContaining(["200", "400", "402", "405", "409", "415"]),
    )
    expect(seen.get("gate")).toEqual(expect.arrayContaining(["pass", "token_invalid", "token_ambiguous"]))
  }, 60_000)

  it("report a broken promise with the smallest input that breaks it", async () => {
    const broken = {
      name: "broken",
      inputs: fc.nat(1000),
      run: (input: number) => {
        if (input > 100) throw new Error("too big")
        return "fine"
      },
    }
    const { violation } = await fuzz(broken, 200, 7)
    expect(violation).toContain("too big")
    expect(violation).toContain("Counterexample: [101]")
  })
})
