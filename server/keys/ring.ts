/** Defines the key ring: its keys with their instants, and the port of its storage. */
import { z } from "zod"
import { tokenAlgorithms } from "../../shared/oauth/jws.ts"
import { fits, jwkSchema } from "./algorithms.ts"
import { isGuessable, KeyFileError } from "./files.ts"

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

export const emptyRing: KeyRing = { access: [], refresh: [], quote: [], retired: [], removed: [] }

/** The storage of a ring that several processes share. Its verbs throw KeyFileError for a ring that cannot be trusted. */
export type RingStorage = {
  /** Names the storage in messages. */
  readonly place: string
  /** Creates the storage when it is missing. */
  open(): Promise<void>
  /** Resolves to `known` itself when it is still the newest; number 0 when there is none yet. */
  read(known?: RingVersion): Promise<RingVersion>
  /**
   * Changes the newest ring. `change` returns its argument when there is nothing to do; it runs again when another process
   * was faster. Resolves after the change is durable.
   */
  update(change: (ring: KeyRing) => KeyRing): Promise<RingVersion>
}

/** A change starts anew so often when other processes are faster. */
export const mostTries = 100

/** Its errors name the place only, because an excerpt could be a key. Throws {@link KeyFileError}. */
export function parseRing(place: string, text: string): KeyRing {
  const parsed = ringSchema.safeParse(jsonOf(text))
  if (!parsed.success || !parsed.data.access.every(({ alg, jwk }) => fits(alg, jwk)))
    throw new KeyFileError(`${place}: wanted a key ring as ticket402 writes it`)
  if ([...parsed.data.refresh, ...parsed.data.quote].some(({ secret }) => isGuessable(secret)))
    throw new KeyFileError(`${place}: found a key that can be guessed, wanted 32 random bytes in hex`)
  return parsed.data
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
