/** Reads key-encryption keys, and encrypts texts under them (AES-256-GCM). */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto"
import { isGuessable, KeyFileError } from "./files.ts"
import { readMountedSecret } from "./mounted-secret.ts"

/** `id` names the key in envelopes and messages, and reveals none of its bits. */
export type EncryptionKey = { readonly id: string; readonly bytes: Buffer }
/** The first encrypts; every one decrypts, so that a key can be replaced while instances run. */
export type EncryptionKeys = readonly [EncryptionKey, ...EncryptionKey[]]

/** Holds the keys in place of the files, separated by commas, for hosts that mount no secrets. */
const variable = "TICKET402_KEY_ENCRYPTION_KEY"
const form = "32 random bytes in hex (openssl rand -hex 32)"

/** The keys of the environment, else of the files. Throws {@link KeyFileError}. */
export async function readEncryptionKeys(
  files: string | readonly string[] | undefined,
  environment: Record<string, string | undefined>,
): Promise<EncryptionKeys> {
  const text = environment[variable]
  // Crash reports and child processes copy the environment.
  delete environment[variable]
  const keys =
    text === undefined
      ? await Promise.all([files ?? []].flat().map(readFile))
      : text.split(",").map((each) => parseKey(variable, each))
  const [first, ...others] = keys
  if (!first)
    throw new KeyFileError(
      `keys: found "database" without a key-encryption key, wanted keyEncryptionKeyFile or ${variable}`,
    )
  return [first, ...others]
}

async function readFile(file: string): Promise<EncryptionKey> {
  const text = await readMountedSecret(file)
  if (text === undefined) throw new KeyFileError(`${file}: found no file, wanted one of ${form}`)
  return parseKey(file, text)
}

function parseKey(source: string, text: string): EncryptionKey {
  const hex = /^\s*([0-9a-fA-F]{64})\s*$/.exec(text)?.[1]?.toLowerCase()
  if (hex === undefined) throw new KeyFileError(`${source}: wanted ${form}`)
  if (isGuessable(hex)) throw new KeyFileError(`${source}: found a key that can be guessed, wanted ${form}`)
  const bytes = Buffer.from(hex, "hex")
  const id = createHash("sha256").update("ticket402/key-encryption-key/1\n").update(bytes).digest("hex")
  return { id: id.slice(0, 16), bytes }
}

const cipher = "aes-256-gcm"
const nonceBytes = 12
const tagBytes = 16

/** A nonce by chance is safe here (NIST SP 800-38D, 8.2.2): a key encrypts far fewer than 2^32 texts. */
export function encrypt({ bytes }: EncryptionKey, text: string, context: string): string {
  const nonce = randomBytes(nonceBytes)
  const cipherText = createCipheriv(cipher, bytes, nonce).setAAD(Buffer.from(context))
  const parts = [nonce, cipherText.update(text, "utf8"), cipherText.final()]
  return Buffer.concat([...parts, cipherText.getAuthTag()]).toString("base64url")
}

/** Undefined for a text that this key did not encrypt for this context. */
export function decrypt({ bytes }: EncryptionKey, sealed: string, context: string): string | undefined {
  const all = Buffer.from(sealed, "base64url")
  if (all.length < nonceBytes + tagBytes) return undefined
  const plain = createDecipheriv(cipher, bytes, all.subarray(0, nonceBytes), { authTagLength: tagBytes })
    .setAAD(Buffer.from(context))
    .setAuthTag(all.subarray(-tagBytes))
  const text = plain.update(all.subarray(nonceBytes, -tagBytes))
  try {
    return Buffer.concat([text, plain.final()]).toString("utf8")
  } catch {
    return undefined
  }
}
