/** The errors of the SQLite store, and how they travel from its thread to the caller. */
import { Fenced, StoreFileError, StoreUnavailable } from "../../ports/store.ts"
import { MissingPackage } from "../missing-package.ts"

/** An error as a message between threads. */
export type SentError = { readonly name: string; readonly message: string }

/** SQLite's own texts stay inside: they may name files or values. Its codes say enough. */
export function sendError(error: unknown): SentError {
  const code = sqliteCode(error)
  if (code) return { name: "Error", message: `the store refused the write (${code})` }
  if (error instanceof Error) return { name: error.name, message: error.message }
  return { name: "Error", message: "the store failed" }
}

export function reviveError({ name, message }: SentError): Error {
  switch (name) {
    case "Fenced":
      return new Fenced()
    case "StoreUnavailable":
      return new StoreUnavailable(message)
    case "MissingPackage":
      return new MissingPackage(message)
    case "StoreFileError":
      return new StoreFileError(message)
    default:
      return new Error(message)
  }
}

export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error) ?? "")

/** The database, not the verb, is at fault: disk full, read-only, broken. */
export const isOutage = (error: unknown): boolean =>
  /^SQLITE_(FULL|READONLY|IOERR|CORRUPT|NOTADB|NOMEM|CANTOPEN|PROTOCOL|INTERRUPT|PERM|AUTH)/.test(
    sqliteCode(error) ?? "",
  )

export const outage = (error: unknown): StoreUnavailable =>
  new StoreUnavailable(`the database cannot be used (${codeOf(error) ?? "unknown"})`)

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined

function sqliteCode(error: unknown): string | undefined {
  const code = codeOf(error)
  return code?.startsWith("SQLITE_") ? code : undefined
}
