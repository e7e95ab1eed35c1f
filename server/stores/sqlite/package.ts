/** Loads better-sqlite3, an optional peer, when a store is opened. */
import { createRequire } from "node:module"
import type BetterSqlite3 from "better-sqlite3"
import { checkSqlite } from "../../../shared/values/node-fit.ts"
import { MissingPackage } from "../missing-package.ts"
import { codeOf } from "./errors.ts"

export async function loadSqlite(): Promise<typeof BetterSqlite3> {
  const { default: Sqlite } = await import("better-sqlite3").catch((error: unknown) => {
    const missing = ["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"].includes(codeOf(error) ?? "")
    throw missing
      ? new MissingPackage("The SQLite store needs the package better-sqlite3: npm i better-sqlite3")
      : error
  })
  // Asked first, because the native part of a version that does not fit ends the process.
  const { version } = createRequire(import.meta.url)("better-sqlite3/package.json") as { version: string }
  const unfit = checkSqlite(version, process.versions.node)
  if (unfit) throw new MissingPackage(`found ${unfit.found}, wanted ${unfit.wanted}`)
  try {
    new Sqlite(":memory:").close()
  } catch {
    // The package loads its native part late; npm leaves it out when install scripts are not allowed.
    throw new MissingPackage("better-sqlite3 has no native part for this Node.js: npm rebuild better-sqlite3")
  }
  return Sqlite
}
