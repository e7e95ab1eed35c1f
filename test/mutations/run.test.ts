/** The processes and the verdicts of a mutation run. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { runGroup } from "./group.ts"
import { type Report, verdictOf } from "./run.ts"

/** A program that starts a server, waits for the file with its process id, and then ends or waits. */
const program = (after: string, onTerm: string): string => `
const { spawn } = require("node:child_process")
const { existsSync } = require("node:fs")
const server = ${JSON.stringify(`${onTerm}; fs.writeFileSync("pid", String(process.pid)); setInterval(() => {}, 1000)`)}
spawn(process.execPath, ["-e", server], { stdio: "ignore" })
setInterval(() => { if (existsSync("pid")) { ${after} } }, 20)
`

it.each([
  ["is at its time limit", "", "", "time limit"],
  [
    "has ended, one that ignores SIGTERM included",
    "process.exit()",
    'process.on("SIGTERM", () => {})',
    "ended",
  ],
] as const)("no process of a run is left when the run %s", async (_, after, onTerm, end) => {
  const folder = await mkdtemp(join(tmpdir(), "group-"))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, "program.cjs"), program(after, onTerm))
  expect(await runGroup(["program.cjs"], { cwd: folder, seconds: end === "ended" ? 60 : 2 })).toBe(end)
  const pid = Number(await readFile(join(folder, "pid"), "utf8"))
  // A container may reap late.
  await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false)
})

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const late = "Error: Test timed out in 20000ms.\nIf this is a long-running test, pass a timeout value."
const wrong = "AssertionError: expected 402 to be 200"
const report = (...failures: string[][]): Report => ({
  numPassedTests: 1,
  testResults: [
    {
      assertionResults: [
        { status: "passed", failureMessages: [] },
        ...failures.map((failureMessages) => ({ status: "failed", failureMessages })),
      ],
    },
  ],
})

it.each([
  ["a failed assertion kills", report([wrong]), "killed"],
  ["a failed assertion beside a time limit kills", report([late], [wrong]), "killed"],
  ["a time limit alone does not kill", report([late]), "timeout"],
  ["passed tests let the mutation survive", report(), "survived"],
  ["a missing report is no verdict", undefined, "no verdict"],
] as const)("verdict: %s", (_, found, verdict) => {
  expect(verdictOf(found)).toBe(verdict)
})
