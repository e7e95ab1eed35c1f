/**
 * Keeps a key ring in the books, encrypted under a key-encryption key. The database never sees a key: a backup or a dump
 * alone signs nothing. A change replaces the row of the version that it read, so of two parallel changes one succeeds.
 */
import type { Store } from "../ports/store.ts"
import {
  decrypt,
  type EncryptionKey,
  type EncryptionKeys,
  encrypt,
  readEncryptionKeys,
} from "./encryption-keys.ts"
import { KeyFileError } from "./files.ts"
import { emptyRing, type KeyRing, mostTries, parseRing, type RingStorage, type RingVersion } from "./ring.ts"

/** `keys` of a configuration that keeps the ring in its database. */
export const inDatabase = "database"

type RingVerbs = Pick<Store, "keyRing" | "replaceKeyRing">
type Envelope = { readonly keyId: string; readonly ringId: string; readonly cipherText: string }

const place = "database"
const envelopePattern = /^1\.([0-9a-f]{16})\.([0-9a-f]{32})\.([A-Za-z0-9_-]{40,})$/

/** Throws {@link KeyFileError} for a key-encryption key that is missing or cannot be trusted. */
export async function openRingDatabase(
  store: RingVerbs,
  config: { readonly keyEncryptionKeyFile?: string | readonly string[] | undefined },
  environment: Record<string, string | undefined> = {},
): Promise<RingStorage> {
  return createRingDatabase(store, await readEncryptionKeys(config.keyEncryptionKeyFile, environment))
}

function createRingDatabase(store: RingVerbs, keys: EncryptionKeys): RingStorage {
  async function read(known?: RingVersion): Promise<RingVersion> {
    const { number, sealed } = await store.keyRing()
    if (number === known?.number) return known
    if (sealed === null) return { number, ring: emptyRing }
    return { number, ring: openRing(keys, number, sealed) }
  }

  async function update(change: (ring: KeyRing) => KeyRing): Promise<RingVersion> {
    for (let tries = 0; tries < mostTries; tries++) {
      const found = await read()
      const ring = change(found.ring)
      if (ring === found.ring) return found
      const number = found.number + 1
      const sealed = sealRing(keys[0], number, ring)
      if (await store.replaceKeyRing({ known: found.number, sealed })) return { number, ring }
    }
    throw new KeyFileError(`${place}: the key ring changes faster than it can be changed`)
  }

  return { place, open: async () => void (await read()), read, update }
}

/** The id of the ring in the database; empty without one. It needs no key-encryption key. */
export async function readStoredRingId(store: Pick<Store, "keyRing">): Promise<string> {
  const { sealed } = await store.keyRing()
  return envelopePattern.exec(sealed ?? "")?.[2] ?? ""
}

/** Bound to its purpose, its ring and its version: no other sealed text of the database passes for it. */
const contextOf = ({ keyId, ringId }: Omit<Envelope, "cipherText">, number: number): string =>
  `ticket402/key-ring/1\n${keyId}\n${ringId}\n${number}`

function sealRing(key: EncryptionKey, number: number, ring: KeyRing): string {
  const { id: ringId = "" } = ring
  const cipherText = encrypt(key, JSON.stringify(ring), contextOf({ keyId: key.id, ringId }, number))
  return `1.${key.id}.${ringId}.${cipherText}`
}

function openRing(keys: EncryptionKeys, number: number, sealed: string): KeyRing {
  const [, keyId, ringId, cipherText] = envelopePattern.exec(sealed) ?? []
  if (keyId === undefined || ringId === undefined || cipherText === undefined)
    throw new KeyFileError(`${place}: wanted an encrypted key ring as ticket402 writes it`)
  const key = keys.find(({ id }) => id === keyId)
  if (!key)
    throw new KeyFileError(
      `${place}: found a key ring under the key-encryption key ${keyId}, wanted ${keys.map(({ id }) => id).join(" or ")}; start with the key that the other instances have`,
    )
  const text = decrypt(key, cipherText, contextOf({ keyId, ringId }, number))
  if (text === undefined)
    throw new KeyFileError(
      `${place}: found a key ring that was changed or moved, wanted the one that the key-encryption key ${keyId} encrypted`,
    )
  return parseRing(place, text)
}
