/** Generates digests with signatures: genuine, changed by a byte, random, and at the edges of the curve's order. */
import fc from "fast-check"
import { sign } from "viem/accounts"
import type { Hex } from "../../shared/values/evm.ts"

export type SignatureCase = { readonly digest: Hex; readonly signature: Hex }

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const prime = 2n ** 256n - 2n ** 32n - 977n

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const wordOf = (value: bigint): string => value.toString(16).padStart(64, "0")
const randomWord = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hexOf)
const word = fc.oneof(
  { weight: 3, arbitrary: randomWord },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(
        0n,
        1n,
        order >> 1n,
        (order >> 1n) + 1n,
        order - 1n,
        order,
        order + 1n,
        prime,
        2n ** 256n - 1n,
      )
      .map(wordOf),
  },
)
const lastByte = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("00", "01", "1b", "1c") },
  { weight: 1, arbitrary: fc.nat(255).map((value) => value.toString(16).padStart(2, "0")) },
)
const invented = fc
  .tuple(randomWord, word, word, lastByte)
  .map(([digest, r, s, v]): SignatureCase => ({ digest: `0x${digest}`, signature: `0x${r}${s}${v}` }))

/** The genuine signature, and the same with one byte of it replaced. */
const signed = fc
  .tuple(randomWord, fc.bigInt(1n, order - 1n), fc.nat(64), fc.option(fc.nat(255)))
  .map(([digest, key, place, byte]) => ({ digest: `0x${digest}` as Hex, key: wordOf(key), place, byte }))

/** Signs outside the arbitrary, because viem signs asynchronously. */
export const signatureCases: fc.Arbitrary<() => Promise<SignatureCase>> = fc.oneof(
  invented.map((each) => async () => each),
  signed.map(({ digest, key, place, byte }) => async (): Promise<SignatureCase> => {
    const genuine = await sign({ hash: digest, privateKey: `0x${key}`, to: "hex" })
    if (byte === null) return { digest, signature: genuine }
    const bytes = Buffer.from(genuine.slice(2), "hex")
    bytes[place] = byte
    return { digest, signature: `0x${bytes.toString("hex")}` }
  }),
)
