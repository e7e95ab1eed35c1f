/** Reads request headers that several endpoints share. */

import { parseHex32 } from "../../shared/oauth/messages.ts"
import { Refusal } from "../../shared/refusals.ts"
import type { Hex } from "../../shared/values/evm.ts"

/** 32 bytes in hex; undefined when the header is absent. */
export function hexHeader(headers: Headers, name: string): Hex | undefined {
  const text = headers.get(name)
  if (text === null) return undefined
  const value = parseHex32(text)
  if (!value) throw new Refusal("malformed", `Wanted 32 bytes in hex in ${name}.`)
  return value
}
