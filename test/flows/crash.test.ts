import { describe, expect, it } from "vitest"
import { crashPoints, killEverywhere } from "../chaos/kills.ts"

describe("kill -9", () => {
  it("RPL-04, SET-17, SET-18, IDM-01: at any step loses and repeats no payment", async () => {
    const report = await killEverywhere({ kills: 0, seed: 0, lanes: 1 })
    expect(report.rows.flatMap(({ wrong }) => wrong)).toEqual([])
    expect(report.rows.filter(({ tries }) => tries === 0)).toEqual([])
    expect(report.rows.map(({ fault }) => fault)).toEqual(
      expect.arrayContaining(crashPoints.map((step) => `kill -9 at "${step}"`)),
    )
    expect(report.acknowledged).toBeGreaterThan(0)
  }, 300_000)
})
