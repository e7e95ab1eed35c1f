/** Loads better-sqlite3, an optional peer, when a file store is opened. */
import { createRequire } from "node:module"
import type BetterSqlite3 from "better-sqlite3"
import { checkSqlite } from "../../shared/values/node-fit.ts"
import { unavailable } from "./private-file.ts"

/** Throws a Ticket402Error `store_unavailable` that names the command to run. */
export async function loadSqlite(): Promise<typeof BetterSqlite3> {
  const { default: Sqlite } = await import("better-sqlite3").catch(() => {
    throw unavailable("no package better-sqlite3", "npm i better-sqlite3")
  })
  // Asked first, because the native part of a version that does not fit ends the process.
  const { version } = createRequire(import.meta.url)("better-sqlite3/package.json") as { version: string }
  const unfit = checkSqlite(version, process.versions.node)
  if (unfit) throw unavailable(unfit.found, unfit.wanted)
  try {
    new Sqlite(":memory:").close()
  } catch {
    throw unavailable("better-sqlite3 without a native part for this Node.js", "npm rebuild better-sqlite3")
  }
  return Sqlite
}
