/** The relayer's private key, in a file of its own. */
import { randomBytes } from "node:crypto"
import { isGuessable, KeyFileError, readOrCreateSecret } from "./files.ts"

/** Of secp256k1. */
const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

type RelayerKey = { readonly privateKey: `0x${string}`; readonly created: boolean }

/** The keys of one file or several, in their order. Throws {@link KeyFileError}, also when two hold the same key. */
export async function openRelayerKeys(
  files: string | readonly string[],
): Promise<readonly [RelayerKey, ...RelayerKey[]]> {
  const [first = "", ...others] = typeof files === "string" ? [files] : files
  const keys: [RelayerKey, ...RelayerKey[]] = [await openRelayerKey(first)]
  for (const file of others) {
    const key = await openRelayerKey(file)
    if (keys.some((other) => other.privateKey === key.privateKey))
      throw new KeyFileError(`${file}: found the key of another relayer, wanted one of its own`)
    keys.push(key)
  }
  return keys
}

/** Reads the key, or creates it when missing. Throws {@link KeyFileError} for a file it cannot trust. */
export async function openRelayerKey(file: string): Promise<RelayerKey> {
  const { text, created } = await readOrCreateSecret(file, () => `0x${randomBytes(32).toString("hex")}`)
  const match = /^(?:0x)?([0-9a-fA-F]{64})\s*$/.exec(text)
  if (!match?.[1]) throw new KeyFileError(`${file}: wanted a private key of 32 bytes in hex`)
  const key = match[1].toLowerCase()
  if (isGuessable(key) || BigInt(`0x${key}`) >= curveOrder)
    throw new KeyFileError(`${file}: found a key that can be guessed, wanted 32 random bytes in hex`)
  return { privateKey: `0x${key}`, created }
}
