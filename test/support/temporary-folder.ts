/** Gives a test run a temporary folder of its own and removes it at the end. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Vitest calls this once, before it starts a worker. Workers and their children inherit the environment. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "ticket402-tests-"))
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
