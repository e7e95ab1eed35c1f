/** What a failed request says: that the node refused this request, or that the node itself is in trouble. */
import { RpcRequestError } from "viem"
import { ChainMismatch, type SendResult } from "../ports/chain.ts"

/** Not this request was refused but any: a limit is exceeded, or nobody is behind the proxy. */
const busyCodes: ReadonlySet<number> = new Set([-32005, -32002, 429])

/**
 * Whether a node should be left alone after this. A request that it understood and refused is no trouble: otherwise a
 * payer could have nodes shut out by what he signs.
 */
export function isTrouble(error: unknown): boolean {
  const refusal = causes(error).find((cause) => cause instanceof RpcRequestError)
  return refusal === undefined || busyCodes.has(refusal.code)
}

export const mismatchIn = (error: unknown): ChainMismatch | undefined =>
  causes(error).find((cause) => cause instanceof ChainMismatch)

const sendResults: readonly [RegExp, SendResult][] = [
  [/already ?known|already imported|known transaction/i, "taken"],
  [/nonce (is )?too low|OldNonce/i, "nonce_too_low"],
  [/underpriced|FeeTooLow|less than block base fee/i, "underpriced"],
  [/insufficient ?funds/i, "unfunded"],
]

/** What a node's refusal of a transaction means; undefined when it is none of those. */
export function sendResultOf(error: unknown): SendResult | undefined {
  const text = rpcText(error)
  return sendResults.find(([pattern]) => pattern.test(text))?.[1]
}

export const isRevert = (error: unknown): boolean =>
  /execution reverted|always failing transaction|gas required exceeds|out ?of ?gas/i.test(rpcText(error))

/** What the node itself said, if it is the node that refused. */
export const rpcText = (error: unknown): string =>
  causes(error)
    .map((cause) => (cause instanceof RpcRequestError ? cause.details : ""))
    .join(" ")

export function causes(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  for (let at = error; at instanceof Error && chain.length < 20; at = at.cause) chain.push(at)
  return chain
}
