/** Opens the relayers' private keys: each in a file of its own, or one in the environment. */
import { randomBytes } from "node:crypto"
import { dirname } from "node:path"
import type { Logger } from "../ports/runtime.ts"
import { createFolder, createSecret, isGuessable, KeyFileError } from "./files.ts"
import { readMountedSecret } from "./mounted-secret.ts"

/** Of secp256k1. */
const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
/** Holds the key in place of the files, for hosts that mount no secrets. */
const variable = "TICKET402_RELAYER_KEY"

type RelayerKey = { readonly privateKey: `0x${string}`; readonly created: boolean }

type Surroundings = {
  /** The variable with the key is deleted here, since crash reports and child processes copy the environment. */
  readonly environment?: Record<string, string | undefined> | undefined
  readonly log?: Pick<Logger, "warn">
}

/**
 * The key of the environment, else those of one file or several, in their order. Throws {@link KeyFileError}, also when
 * two files hold the same key.
 */
export async function openRelayerKeys(
  files: string | readonly string[],
  { environment = {}, log }: Surroundings = {},
): Promise<readonly [RelayerKey, ...RelayerKey[]]> {
  const text = environment[variable]
  if (text !== undefined) {
    delete environment[variable]
    log?.warn(
      { variable },
      "the relayer key came from the environment, where other programs can read it; a file is safer (relayer.privateKeyFile)",
    )
    return [{ privateKey: parseKey(variable, text), created: false }]
  }
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
  const found = await readMountedSecret(file)
  if (found !== undefined) return { privateKey: parseKey(file, found), created: false }
  await createFolder(dirname(file))
  const privateKey = `0x${randomBytes(32).toString("hex")}` as const
  if (await createSecret(file, privateKey)) return { privateKey, created: true }
  // Another process that started at the same time created it.
  const other = await readMountedSecret(file)
  if (other === undefined) throw new KeyFileError(`${file}: was removed while it was read`)
  return { privateKey: parseKey(file, other), created: false }
}

function parseKey(source: string, text: string): `0x${string}` {
  const match = /^(?:0x)?([0-9a-fA-F]{64})\s*$/.exec(text)
  if (!match?.[1]) throw new KeyFileError(`${source}: wanted a private key of 32 bytes in hex`)
  const key = match[1].toLowerCase()
  if (isGuessable(key) || BigInt(`0x${key}`) >= curveOrder)
    throw new KeyFileError(`${source}: found a key that can be guessed, wanted 32 random bytes in hex`)
  return `0x${key}`
}
