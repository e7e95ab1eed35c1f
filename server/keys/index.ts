/** The service's keys, in a folder of their own: one signs access tokens, one derives refresh tokens. */
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import type { Keys } from "../ports.ts"
import { generateAccessKey, loadAccessKey } from "./access-tokens.ts"
import { KeyFileError, readOrCreateSecret } from "./files.ts"
import { createRefreshTokens } from "./refresh-tokens.ts"

export { KeyFileError } from "./files.ts"

/** Loads the keys of a folder, creating those that are missing. Throws {@link KeyFileError} for files it cannot trust. */
export async function openKeys(folder: string): Promise<Keys> {
  const accessFile = join(folder, "access-token.jwk")
  const refreshFile = join(folder, "refresh-token.key")
  const access = await readOrCreateSecret(accessFile, generateAccessKey)
  const refresh = await readOrCreateSecret(refreshFile, async () => randomBytes(32).toString("hex"))
  const accessKey = await loadAccessKey(access.text).catch(() => {
    throw new KeyFileError(`${accessFile}: wanted a private EC key on P-256 as a JWK`)
  })
  if (!/^[0-9a-f]{64}$/.test(refresh.text.trim()))
    throw new KeyFileError(`${refreshFile}: wanted 32 bytes in hex`)
  if (isGuessable(refresh.text.trim()))
    throw new KeyFileError(`${refreshFile}: found a key that can be guessed, wanted 32 random bytes in hex`)
  const refreshTokens = createRefreshTokens(Buffer.from(refresh.text.trim(), "hex"))

  return {
    sign: accessKey.sign,
    verify: accessKey.verify,
    jwks: () => ({ keys: [accessKey.publicJwk] }),
    refreshToken: refreshTokens.issue,
    readRefreshToken: refreshTokens.read,
  }
}

/** The relayer's private key, created when missing. */
export async function openRelayerKey(file: string): Promise<{ privateKey: `0x${string}`; created: boolean }> {
  const { text, created } = await readOrCreateSecret(file, async () => `0x${randomBytes(32).toString("hex")}`)
  const match = /^(?:0x)?([0-9a-fA-F]{64})\s*$/.exec(text)
  if (!match?.[1]) throw new KeyFileError(`${file}: wanted a private key of 32 bytes in hex`)
  const key = match[1].toLowerCase()
  if (isGuessable(key) || BigInt(`0x${key}`) >= curveOrder)
    throw new KeyFileError(`${file}: found a key that can be guessed, wanted 32 random bytes in hex`)
  return { privateKey: `0x${key}`, created }
}

/** Of secp256k1. */
const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** Of 32 random bytes fewer than 16 are different once in 10^16 keys; of what people type, nearly always. */
const isGuessable = (hex: string): boolean => new Set(hex.match(/../g)).size < 16
