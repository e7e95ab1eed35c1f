/** Sorts the errors of PostgreSQL and of the connection to it. Their texts stay inside: they may name values. */
import { StoreFileError, StoreUnavailable } from "../../ports/store.ts"

/** Nothing was written, and another try may succeed. */
export class Undone extends StoreUnavailable {}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined

const isSqlState = (code: string | undefined): code is string => /^[0-9A-Z]{5}$/.test(code ?? "")

/** The transaction was undone: it met another one, whose rows the next try sees, or the database was lost. */
export const mayTryAgain = (error: unknown): boolean =>
  error instanceof Undone || isOutage(error) || ["23505", "40001", "40P01"].includes(codeOf(error) ?? "")

/** A lock or a statement took longer than it may. */
const isTimeout = (error: unknown): boolean => ["55P03", "57014"].includes(codeOf(error) ?? "")

/**
 * The database or the way to it is at fault, not the verb: the server starts or ends, is full, is a standby, or the connection
 * broke. Errors of sockets have names in place of a code of SQL, and some errors of pg have none.
 */
export function isOutage(error: unknown): boolean {
  const code = codeOf(error)
  if (isSqlState(code)) return /^(08|25006|25P0[34]|53|57P|58|XX)/.test(code)
  return error instanceof Error && (code !== undefined || isOfDriver(error))
}

/** pg gives no code to an error of its own. */
const isOfDriver = ({ message }: Error): boolean =>
  /^(Connection terminated|Client (was closed|has encountered)|Query read timeout|timeout exceeded)/.test(
    message,
  )

/** The error that a caller gets. */
export function errorFor(error: unknown): unknown {
  const code = codeOf(error)
  if (isTimeout(error)) return new StoreUnavailable(`another process holds the database (${code})`)
  if (isOutage(error))
    return new StoreUnavailable(`the database cannot be used (${code ?? "connection lost"})`)
  return isSqlState(code) ? new Error(`the store refused the write (${code})`) : error
}

/** The error of a start: an unknown login or certificate is a matter of the configuration. */
export function startError(error: unknown, place: string): unknown {
  const code = codeOf(error) ?? ""
  if (/CERT|^ERR_TLS/.test(code))
    return new StoreFileError(`${place}: the certificate of the server does not verify (${code})`)
  if (error instanceof Error && error.message === "The server does not support SSL connections")
    return new StoreFileError(`${place}: found a server without TLS, wanted TLS or sslmode=disable`)
  if (["28P01", "28000", "3D000"].includes(code))
    return new StoreFileError(`${place}: the server refused the login (${code})`)
  return errorFor(error)
}
