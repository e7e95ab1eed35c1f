/** Lists the payment schemes; adding one is a module and a line here. */
import { exactEip3009 } from "./exact-eip3009.ts"
import type { Scheme } from "./scheme.ts"

const all: readonly Scheme[] = [exactEip3009]

/** By the id that books and offers keep. */
export const schemes: ReadonlyMap<string, Scheme> = new Map(all.map((scheme) => [scheme.id, scheme]))

/** In x402's words, for refusals. */
export const schemeNames: readonly string[] = [...new Set(all.map(({ name }) => name))]

/** The transfer methods of an x402 scheme; none for a name that is not known. */
export const transferMethodsOf = (name: string): readonly string[] =>
  all.filter((scheme) => scheme.name === name).map(({ assetTransferMethod }) => assetTransferMethod)

/** Finds a scheme by the words of an x402 entry. An entry without a method means EIP-3009. */
export const findScheme = (name: string, assetTransferMethod = "eip3009"): Scheme | undefined =>
  all.find((scheme) => scheme.name === name && scheme.assetTransferMethod === assetTransferMethod)

export function requireScheme(id: string): Scheme {
  const scheme = schemes.get(id)
  if (!scheme) throw new Error(`there is no scheme ${id}`)
  return scheme
}
