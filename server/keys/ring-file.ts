/**
 * Keeps a key ring in a folder that several processes share. The whole ring is one file, and a change is a new file of
 * the next number. A link to an existing number fails, so of two parallel changes one succeeds and the other starts again.
 * A process that dies leaves no lock behind.
 */
import { readdir, unlink } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { tokenAlgorithms } from "../../shared/oauth/jws.ts"
import { fits, jwkSchema } from "./algorithms.ts"
import { createSecret, hasCode, isGuessable, KeyFileError, ownFolder, readSecret } from "./files.ts"

const instant = z.number().int().nonnegative()
export const keyId = z.string().regex(/^[A-Za-z0-9._~-]{1,128}$/)
const instants = { publishedAt: instant, activeAt: instant.nullable(), retiredAt: instant.nullable() }

const accessKeySchema = z.strictObject({
  id: keyId,
  alg: z.enum(tokenAlgorithms),
  jwk: jwkSchema,
  ...instants,
})
/** Of what this service alone makes and checks: refresh tokens, or quotes. */
const secretKeySchema = z.strictObject({
  id: keyId,
  secret: z.string().regex(/^[0-9a-f]{64}$/),
  ...instants,
})

const ringSchema = z.strictObject({
  /** Random, made with the first keys; the books remember it. */
  id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  access: z.array(accessKeySchema),
  refresh: z.array(secretKeySchema),
  quote: z.array(secretKeySchema),
  /** Public halves of keys that are gone: receipts they signed are worth something for ever. */
  retired: z.array(accessKeySchema.pick({ id: true, alg: true, jwk: true })),
  /** Kept for ever: a removed key must not come back by a backup of a signer's. */
  removed: z.array(z.strictObject({ id: keyId, removedAt: instant })),
})
export type KeyRing = z.infer<typeof ringSchema>
export type AccessKey = z.infer<typeof accessKeySchema>
export type SecretKey = z.infer<typeof secretKeySchema>

/** A ring as it was at some change; a larger number is newer. */
export type RingVersion = { readonly number: number; readonly ring: KeyRing }

const emptyRing: KeyRing = { access: [], refresh: [], quote: [], retired: [], removed: [] }

const namePattern = /^ring-([1-9][0-9]{0,11})\.json$/
const mostTries = 100

export function createRingFile(folder: string) {
  const fileOf = (number: number): string => join(folder, `ring-${number}.json`)

  async function numbers(): Promise<readonly number[]> {
    const found = (await readdir(folder)).flatMap((name) => namePattern.exec(name)?.[1] ?? [])
    return found.map(Number).sort((a, b) => b - a)
  }

  /** `known` itself when it is still the newest; number 0 when there is none yet. */
  async function read(known?: RingVersion): Promise<RingVersion> {
    for (let tries = 0; tries < mostTries; tries++) {
      const [number = 0] = await numbers()
      if (number === known?.number) return known
      if (number === 0) return { number, ring: emptyRing }
      const text = await readSecret(fileOf(number))
      // Replaced between the two looks.
      if (text !== undefined) return { number, ring: parseRing(fileOf(number), text) }
    }
    throw new KeyFileError(`${folder}: changes faster than it can be read`)
  }

  /** Changes the newest ring; `change` returns its argument when there is nothing to do. */
  async function update(change: (ring: KeyRing) => KeyRing): Promise<RingVersion> {
    for (let tries = 0; tries < mostTries; tries++) {
      const found = await read()
      const ring = change(found.ring)
      if (ring === found.ring) return found
      const number = found.number + 1
      if (!(await createSecret(fileOf(number), JSON.stringify(ring)))) continue
      const [newest = 0, ...older] = await numbers()
      // The number was free again, because later changes had swept it away.
      if (newest !== number) {
        await remove(fileOf(number))
        continue
      }
      // Old private keys do not lie about.
      for (const each of older) await remove(fileOf(each))
      return { number, ring }
    }
    throw new KeyFileError(`${folder}: changes faster than it can be changed`)
  }

  return { open: () => ownFolder(folder), read, update }
}

/** The id of the ring in a folder; empty without one. Changes nothing, so that a command makes no folder of keys. */
export async function readRingId(folder: string): Promise<string> {
  try {
    return (await createRingFile(folder).read()).ring.id ?? ""
  } catch (error) {
    if (hasCode(error, "ENOENT")) return ""
    throw error
  }
}

/** Its errors name the whole file only, because an excerpt could be a key. */
function parseRing(file: string, text: string): KeyRing {
  const parsed = ringSchema.safeParse(jsonOf(text))
  if (!parsed.success || !parsed.data.access.every(({ alg, jwk }) => fits(alg, jwk)))
    throw new KeyFileError(`${file}: wanted a key ring as ticket402 writes it`)
  if ([...parsed.data.refresh, ...parsed.data.quote].some(({ secret }) => isGuessable(secret)))
    throw new KeyFileError(`${file}: found a key that can be guessed, wanted 32 random bytes in hex`)
  return parsed.data
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function remove(file: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT")) throw error
  })
}
