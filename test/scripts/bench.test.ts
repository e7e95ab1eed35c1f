import { expect, it } from "vitest"
import { z } from "zod"
import { runCommand } from "../support/command.ts"

const positive = z.number().positive()
const spread = z
  .strictObject({ median: positive, least: positive, most: positive })
  .refine(({ median, least, most }) => least <= median && median <= most)
const route = z.strictObject({
  cpuEach: spread,
  requestsPerSecond: spread,
  p50: z.number().min(0),
  p99: z.number().min(0),
})
const part = z.strictObject({ name: z.string(), milliseconds: positive, share: positive })

it("the benchmark prints one JSON document with a spread for every figure", async () => {
  const { code, stdout, stderr } = await runCommand("scripts/bench/index.ts", ["--json", "--seconds", "0.3"])
    .ended
  expect(stderr).toBe("")
  expect(code).toBe(0)
  const figures = z
    .strictObject({
      node: z.literal(process.version),
      processor: z.string(),
      cores: positive,
      secondsPerSlice: z.literal(0.3),
      gate: z.strictObject({
        ratio: spread,
        meteredRatio: spread,
        gated: route,
        metered: route,
        open: route,
        rounds: positive,
      }),
      sale: z.strictObject({
        tokensPerSecond: spread,
        cpuEach: positive,
        p50: positive,
        p99: positive,
        sold: positive,
        parallel: positive,
        parts: z.array(part).length(6),
      }),
      commits: z.strictObject({
        ratio: spread,
        singlePerSecond: spread,
        groupedPerSecond: spread,
        groupedCpuEach: spread,
        group: positive,
      }),
      settlement: z.strictObject({
        gas: z.strictObject({ alone: positive, at10: positive, at50: positive }),
        gasRatio: positive,
        perSecond: z.strictObject({ batched: positive, pipelined: positive, sequential: positive }),
        speedUp: positive,
        hostile: z.strictObject({ riders: z.literal(50), settled: z.literal(49) }),
      }),
      postgres: z.strictObject({
        atOnce: positive,
        redemptionsPerSecond: spread,
        // Null where pgbench is not installed.
        pgbenchPerSecond: spread.nullable(),
        ratio: spread.nullable(),
      }),
    })
    .parse(JSON.parse(stdout))
  expect(figures.sale.parts.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1)
  expect(figures.settlement.gasRatio).toBeLessThanOrEqual(0.7)
}, 120_000)

it("the benchmark measures one part when it is named", async () => {
  const { code, stdout } = await runCommand("scripts/bench/index.ts", ["commits", "--seconds", "0.3"]).ended
  expect(code).toBe(0)
  expect(stdout).toContain("Commits: ")
  expect(stdout).not.toContain("Sale: ")
})
