/** Loads better-sqlite3, an optional peer, when a store is opened. */
import type BetterSqlite3 from "better-sqlite3"
import { codeOf, MissingPackage } from "./errors.ts"

export async function loadSqlite(): Promise<typeof BetterSqlite3> {
  const { default: Sqlite } = await import("better-sqlite3").catch((error: unknown) => {
    const missing = ["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"].includes(codeOf(error) ?? "")
    throw missing ? new MissingPackage() : error
  })
  try {
    new Sqlite(":memory:").close()
  } catch {
    // The package loads its native part late; npm leaves it out when install scripts are not allowed.
    throw new MissingPackage("better-sqlite3 has no native part for this Node.js: npm rebuild better-sqlite3")
  }
  return Sqlite
}
