/** The service's keys: one ring signs access tokens and receipts, others derive refresh tokens and seal quotes (security.md §4.8). */
import type { TokenAlgorithm } from "../../shared/oauth/jws.ts"
import { type KeyState, stateOf } from "../core/key-ring.ts"
import { type Keys, SignerUnavailable } from "../ports/keys.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import { publicJwkOf } from "./algorithms.ts"
import { checkAgainst, readSigner, type Signer, tryExternal } from "./external-signer.ts"
import { KeyFileError } from "./files.ts"
import { issueRefreshToken, readRefreshToken } from "./refresh-tokens.ts"
import {
  accessOverlapSeconds,
  type Custody,
  prepared,
  quoteOverlapSeconds,
  refreshOverlapSeconds,
  renewed,
} from "./ring-changes.ts"
import {
  type AccessKey,
  createRingFile,
  type KeyRing,
  type RingVersion,
  type SecretKey,
} from "./ring-file.ts"
import { isSealOf, sealOf } from "./seals.ts"
import { loadSigningKey, type SigningKey } from "./signing-key.ts"

export type { Signer } from "./external-signer.ts"
export { KeyFileError } from "./files.ts"
export { verifyProof } from "./proofs.ts"
export { openRelayerKey, openRelayerKeys } from "./relayer-key.ts"

export type KeyOptions = {
  readonly now?: Now
  /** Of keys made from now on; ES256 by default. */
  readonly algorithm?: TokenAlgorithm
  /** After that long a key is replaced; never by default. */
  readonly rotationSeconds?: number
  /** Signs in place of keys of this service's own. */
  readonly signer?: Signer
  readonly log?: Pick<Logger, "info" | "warn">
}

/** A signer that failed is not asked for this long before a payment is taken. */
const pauseSeconds = 5
/** A seal lasts minutes, so its key is the next one, the active one or the one before. */
const sealKeys = 3

/**
 * Opens the ring of a folder, which it creates when missing, and tries every key. Throws {@link KeyFileError} for what it
 * cannot trust.
 */
export async function openKeys(folder: string, options: KeyOptions = {}): Promise<Keys> {
  const { algorithm = "ES256", rotationSeconds = Number.POSITIVE_INFINITY, signer, log } = options
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const custody = (): Custody => ({ algorithm, now: now() })
  const external = signer && readSigner(signer)
  const file = createRingFile(folder)
  await file.open()
  const loaded = new Map<string, SigningKey>()

  async function load(key: AccessKey): Promise<SigningKey> {
    const known = loaded.get(key.id)
    if (known) return known
    const mine = signer?.kid === key.id
    const made = await loadSigningKey(key, mine ? signer.sign : undefined)
    if (mine) await tryExternal(made, log)
    else if (key.jwk.d !== undefined && !(await made.works()))
      // A damaged key must not be found out by the first customer.
      throw new KeyFileError(`${folder}: what the key ${key.id} signs cannot be verified`)
    loaded.set(key.id, made)
    return made
  }

  /** What the service works with, made of a version of the ring; until it is whole the one before is used. */
  async function take(version: RingVersion) {
    const { ring } = version
    const keys = await Promise.all(ring.access.map(async (key) => [key, await load(key)] as const))
    return {
      version,
      ring,
      byHeader: new Map(keys.map(([key, made]) => [made.tokenHeader, { key, made }])),
      byId: new Map(keys.map(([key, made]) => [key.id, { key, made }])),
    }
  }

  const start = (ring: KeyRing): KeyRing => {
    if (external) checkAgainst(ring, external)
    return prepared(ring, external, custody())
  }
  let held = await take(await file.update(start))
  let failedAt = Number.NEGATIVE_INFINITY

  const accessState = (key: AccessKey): KeyState => stateOf(key, accessOverlapSeconds, now())
  const refreshState = (key: SecretKey): KeyState => stateOf(key, refreshOverlapSeconds, now())
  const quoteState = (key: SecretKey): KeyState => stateOf(key, quoteOverlapSeconds, now())
  const isAlive = (key: AccessKey): boolean => accessState(key) !== "gone"
  const isActive = (key: AccessKey): boolean => accessState(key) === "active"

  /** The key to sign with what is checked until `until`. */
  function keyUntil(until: number): SigningKey {
    const found = held.byId.get(signer?.kid ?? held.ring.access.findLast(isActive)?.id ?? "")
    // A key outside is in use until its last process has stopped, and signs nothing that would outlive it.
    const end =
      found?.key.retiredAt == null ? Number.POSITIVE_INFINITY : found.key.retiredAt + accessOverlapSeconds
    if (!found || accessState(found.key) === "next" || until > end)
      throw new SignerUnavailable("no key may sign now")
    return found.made
  }

  function refreshSecret(): Uint8Array {
    const key = held.ring.refresh.findLast((each) => refreshState(each) === "active")
    if (!key) throw new SignerUnavailable("no key may derive refresh tokens now")
    return secretOf(key)
  }

  /** The newest first: most tokens are of it. */
  const refreshSecrets = (): readonly Uint8Array[] =>
    held.ring.refresh
      .filter((key) => refreshState(key) !== "gone")
      .map(secretOf)
      .reverse()

  async function sign(
    kind: "token" | "receipt" | "revocations",
    payload: object,
    until: number,
  ): Promise<string> {
    try {
      return await keyUntil(until).sign(kind, payload)
    } catch (error) {
      failedAt = now()
      throw error
    }
  }

  return {
    sign: (claims) => sign("token", claims, claims.exp),
    signReceipt: (receipt) => sign("receipt", receipt, now()),
    signRevocations: (list) => sign("revocations", list, now()),
    check() {
      keyUntil(now())
      refreshSecret()
      if (now() < failedAt + pauseSeconds) throw new SignerUnavailable("the signer has just failed")
    },
    async verify(token) {
      const found = held.byHeader.get(token.slice(0, token.indexOf(".")))
      if (!found || !isAlive(found.key)) return undefined
      const claims = await found.made.verify(token)
      return claims && { claims, kid: found.key.id }
    },
    isTrusted(kid) {
      const found = held.byId.get(kid)
      return found !== undefined && isAlive(found.key)
    },
    jwks() {
      const alive = held.ring.access.filter(isAlive)
      const activeFirst = [...alive.filter(isActive), ...alive.filter((key) => !isActive(key))]
      return { keys: activeFirst.map(({ id, alg, jwk }) => ({ ...publicJwkOf(id, alg, jwk), use: "sig" })) }
    },
    receiptJwks: () => ({
      keys: [...held.ring.retired, ...held.ring.access].map(({ id, alg, jwk }) => ({
        ...publicJwkOf(id, alg, jwk),
        key_ops: ["verify"],
      })),
    }),
    removed: () => held.ring.removed.map(({ id, removedAt }) => ({ kid: id, removedAt })),
    seal: (text) => sealOf(refreshSecret(), "nonce", text),
    isSealed: (text, seal) => isSealOf(refreshSecrets().slice(0, sealKeys), "nonce", text, seal),
    sealQuote(text) {
      const key = held.ring.quote.findLast((each) => quoteState(each) === "active")
      if (!key) throw new SignerUnavailable("no key may seal quotes now")
      return { kid: key.id, seal: sealOf(secretOf(key), "quote", text) }
    },
    isQuoteSealed: (text, { kid, seal }) =>
      isSealOf(
        held.ring.quote.filter((key) => key.id === kid && quoteState(key) !== "gone").map(secretOf),
        "quote",
        text,
        seal,
      ),
    refreshToken: (grantId, generation) => issueRefreshToken(refreshSecret(), grantId, generation),
    readRefreshToken: (token) => readRefreshToken(refreshSecrets(), token),
    async refresh() {
      const found = await file.read(held.version)
      const due = renewed(found.ring, rotationSeconds, custody()) !== found.ring
      const newest = due ? await file.update((ring) => renewed(ring, rotationSeconds, custody())) : found
      if (newest.number === held.version.number) return
      held = await take(newest)
      log?.info({ keys: held.ring.access.map(({ id }) => id) }, "the keys have changed")
    },
  }
}

const secretOf = ({ secret }: SecretKey): Uint8Array => Buffer.from(secret, "hex")
