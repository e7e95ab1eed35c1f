/** Removes one defence at a time in a copy of the repository and runs the tests that guard it. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
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

export type Outcome = {
  readonly mutation: GuardedMutation
  /** `no verdict`: no test of that name ran, or its file could not be loaded. */
  readonly verdict: "killed" | "survived" | "no verdict"
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

type Report = { numFailedTests: number; numPassedTests: number }

async function runTests(tree: string, { test, name }: GuardedMutation): Promise<Outcome["verdict"]> {
  const output = join(tree, "report.json")
  await rm(output, { force: true })
  const vitest = join(tree, "node_modules/vitest/vitest.mjs")
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  const flags = ["--reporter=json", `--outputFile=${output}`, "--bail=1", "--testTimeout=20000"]
  const child = spawn(process.execPath, [vitest, "run", test, "-t", pattern, ...flags], {
    cwd: tree,
    stdio: "ignore",
    timeout: longestSeconds * 1000,
  })
  await once(child, "close")
  const report = await readFile(output, "utf8").then(
    (text) => JSON.parse(text) as Report,
    () => undefined,
  )
  if (!report) return "no verdict"
  if (report.numFailedTests > 0) return "killed"
  return report.numPassedTests > 0 ? "survived" : "no verdict"
}
