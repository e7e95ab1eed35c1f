/** Removes one defence at a time in a copy of the repository and runs the tests that guard it. */
import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { runGroup } from "./group.ts"
import type { GuardedMutation, Mutation } from "./mutation.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const sources = [
  "client",
  "server",
  "shared",
  "scripts",
  "test",
  "package.json",
  "tsconfig.json",
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "docs",
]
const longestSeconds = 120

/**
 * `no verdict`: no test of that name ran, or its file could not be loaded. `timeout`: nothing but time limits ended the
 * tests, which a busy machine does as well.
 */
type Verdict = "killed" | "survived" | "timeout" | "no verdict"

export type Outcome = {
  readonly mutation: GuardedMutation
  readonly verdict: Verdict
  readonly seconds: number
}

/** Each lane has its own copy, so that two defences can be missing at the same time. */
export async function runMutations(
  mutations: readonly GuardedMutation[],
  lanes: number,
  onOutcome: (outcome: Outcome) => void,
): Promise<readonly Outcome[]> {
  const waiting = [...mutations]
  const outcomes: Outcome[] = []
  const work = async () => {
    const tree = await copyTree()
    try {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const outcome = await removeDefence(tree, next)
        outcomes.push(outcome)
        onOutcome(outcome)
      }
    } finally {
      await rm(tree, { recursive: true, force: true })
    }
  }
  await Promise.all(Array.from({ length: lanes }, work))
  return outcomes
}

/** The text with the defence removed. Throws unless the searched text occurs exactly once. */
export function mutate(text: string, { file, find, replace, defence }: Mutation): string {
  const count = text.split(find).length - 1
  if (count !== 1) throw new Error(`${defence}: found its text ${count} times in ${file}, wanted it once`)
  return text.replace(find, () => replace)
}

async function copyTree(): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), "mutation-"))
  for (const source of [...sources, "vitest.config.ts"])
    await cp(join(root, source), join(tree, source), { recursive: true })
  await symlink(await realpath(join(root, "node_modules")), join(tree, "node_modules"))
  return tree
}

async function removeDefence(tree: string, mutation: GuardedMutation): Promise<Outcome> {
  const startedAt = performance.now()
  const path = join(tree, mutation.file)
  const whole = await readFile(path, "utf8")
  await writeFile(path, mutate(whole, mutation))
  try {
    const verdict = await runTests(tree, mutation)
    return { mutation, verdict, seconds: (performance.now() - startedAt) / 1000 }
  } finally {
    await writeFile(path, whole)
  }
}

/** The parts of vitest's JSON report that a verdict needs. */
export type Report = {
  readonly numPassedTests: number
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

async function runTests(tree: string, { test, name }: GuardedMutation): Promise<Verdict> {
  const output = join(tree, "report.json")
  await rm(output, { force: true })
  const vitest = join(tree, "node_modules/vitest/vitest.mjs")
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  const flags = ["--reporter=json", `--outputFile=${output}`, "--bail=1", "--testTimeout=20000"]
  const end = await runGroup([vitest, "run", test, "-t", pattern, ...flags], {
    cwd: tree,
    seconds: longestSeconds,
  })
  if (end === "time limit") return "timeout"
  const report = await readFile(output, "utf8").then(
    (text) => JSON.parse(text) as Report,
    () => undefined,
  )
  return verdictOf(report)
}

/** A failed test kills a mutation unless each of its failures is one of vitest's time limits. */
export function verdictOf(report: Report | undefined): Verdict {
  if (!report) return "no verdict"
  const failures = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === "failed")
  const isLate = (message: string) => /^(?:Error: )?(?:Test|Hook) timed out in \d+ms/.test(message)
  if (failures.some(({ failureMessages }) => !failureMessages.every(isLate))) return "killed"
  if (failures.length > 0) return "timeout"
  return report.numPassedTests > 0 ? "survived" : "no verdict"
}
