/** Loads pg, an optional peer, when a store is opened. */
import type Pg from "pg"
import { MissingPackage } from "../missing-package.ts"

export async function loadPg(): Promise<typeof Pg> {
  try {
    return (await import("pg")).default
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND")
      throw new MissingPackage("The PostgreSQL store needs the package pg: npm i pg")
    throw error
  }
}
