import { describe, expect, it } from "vitest"
import { crashPoints, runChaos } from "../../scripts/chaos/run.ts"

describe("kill -9", () => {
  it("RPL-04, SET-17, SET-18, IDM-01: at every named step and at random moments under load, nothing acknowledged is lost and nothing is settled twice", async () => {
    const report = await runChaos({ kills: 2, seed: Math.floor(Math.random() * 2 ** 30) })
    expect(report.wrong).toEqual([])
    expect(report.covered).toEqual(crashPoints)
    expect(report.acknowledged).toBeGreaterThan(0)
    expect(report).toMatchObject({ kills: crashPoints.length + 2, lost: 0, tokensWithoutRow: 0 })
    expect(report.findings).toMatchObject({ settledTwice: 0, open: 0, owed: report.findings.received })
  }, 180_000)
})
