/** The four spellings of one signature that recover to the same signer off chain (security.md §0.1). */
import type { Hex } from "../../shared/values/evm.ts"

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** The canonical form, the same with v 0/1, and the high-s form with both kinds of v. */
export function spellings(signature: Hex): readonly [Hex, Hex, Hex, Hex] {
  const r = signature.slice(2, 66)
  const s = signature.slice(66, 130)
  const v = Number.parseInt(signature.slice(130), 16)
  const high = (order - BigInt(`0x${s}`)).toString(16).padStart(64, "0")
  const byte = (value: number) => value.toString(16).padStart(2, "0")
  const twin = v === 27 ? 28 : 27
  return [
    signature,
    `0x${r}${s}${byte(v - 27)}`,
    `0x${r}${high}${byte(twin)}`,
    `0x${r}${high}${byte(twin - 27)}`,
  ]
}
