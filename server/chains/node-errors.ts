/** Classifies failed requests: trouble of the node, or a refusal of one request. Codes and shapes count, words do not. */
import { ChainMismatch, type SendResult } from "../ports/chain.ts"
import { HttpFailed } from "./http-post.ts"
import { RpcError } from "./json-rpc.ts"

/** A limit is exceeded, or no node is behind the proxy: any request would fail. */
const busyCodes: ReadonlySet<number> = new Set([-32005, -32002, 429])
/** The node does not have the method, so every request of the kind would fail. */
const missingMethodCodes: ReadonlySet<number> = new Set([-32601, -32004])
/** The code by which execution clients report a reverted call. */
const revertCode = 3

/**
 * Whether a node should be left alone after this. A refusal of one request is no trouble: otherwise a payer could have
 * nodes shut out by the contents of a payment.
 */
export const isTrouble = (error: unknown): boolean =>
  causes(error).some((cause) => cause instanceof HttpFailed || cause instanceof ChainMismatch) ||
  busyCodes.has(codeOf(error))

/** Whether the node is well and has the method, so that the failure says something about this request only. */
export const isRefusal = (error: unknown): boolean =>
  !isTrouble(error) && !missingMethodCodes.has(codeOf(error))

export const isRevert = (error: unknown): boolean => codeOf(error) === revertCode

export const mismatchIn = (error: unknown): ChainMismatch | undefined =>
  causes(error).find((cause) => cause instanceof ChainMismatch)

const sendResults: readonly [RegExp, SendResult][] = [
  [/already ?known|already imported|known transaction/i, "taken"],
  [/nonce (is )?too low|OldNonce/i, "nonce_too_low"],
  [/underpriced|FeeTooLow|less than block base fee/i, "underpriced"],
  [/insufficient ?funds/i, "unfunded"],
]

/**
 * The reason why a node refuses a transaction; undefined for any other wording. No standard has codes for these, so the
 * words are a hint when to send again and never decide about a payment.
 */
export function sendResultOf(error: unknown): SendResult | undefined {
  const text = causes(error)
    .map((cause) => (cause instanceof RpcError ? cause.message : ""))
    .join(" ")
  return sendResults.find(([pattern]) => pattern.test(text))?.[1]
}

const codeOf = (error: unknown): number =>
  Number(causes(error).find((cause) => cause instanceof RpcError)?.code)

export function causes(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  for (let at = error; at instanceof Error && chain.length < 20; at = at.cause) chain.push(at)
  return chain
}
