/** Distinguishes an outage of node or store from a fault of one payment, and words both for the log. */
import { ChainMismatch, ChainUnavailable, RequestRefused } from "../ports/chain.ts"
import { Fenced, StoreUnavailable } from "../ports/store.ts"

const outages = [ChainUnavailable, ChainMismatch, StoreUnavailable, Fenced]

/**
 * The node or the store does not answer, is another one, or another process settles. A refused request is no outage: it
 * concerns one payment, which must not stop the others.
 */
export const isOutage = (error: unknown): boolean =>
  outages.some((outage) => error instanceof outage) && !(error instanceof RequestRefused)

/** A short text for the operator, without the URLs of nodes, which may hold secrets. */
export const lastErrorOf = (error: unknown): string =>
  messageOf(error)
    .replace(/\S+:\/\/\S+/g, "[address]")
    .slice(0, 200)

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
