/** Opens the service's keys: one ring signs tokens and receipts, others derive refresh tokens and seal quotes. */
import type { TokenAlgorithm } from "../../shared/oauth/jws.ts"
import { type Keys, SignerUnavailable } from "../ports/keys.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import { checkAgainst, readSigner, type Signer } from "./external-signer.ts"
import { createRingLoader } from "./loaded-ring.ts"
import type { KeyRing, RingStorage } from "./ring.ts"
import { type Custody, prepared, renewed } from "./ring-changes.ts"
import { createRingFile } from "./ring-file.ts"
import { createSecretKeys } from "./secret-keys.ts"
import { createTokenKeys } from "./token-keys.ts"

export type KeyOptions = {
  readonly now?: Now
  /** Of keys made from now on; ES256 by default. */
  readonly algorithm?: TokenAlgorithm
  /** A key is replaced after that long; never by default. */
  readonly rotationSeconds?: number
  /** Signs in place of keys of this service's own. */
  readonly signer?: Signer
  readonly log?: Pick<Logger, "info" | "warn">
}

/** Before a payment is accepted, a signer that failed is not tried again for this long. */
const pauseSeconds = 5

/** Opens the ring of a folder, as {@link openRing} does. */
export const openKeys = (folder: string, options: KeyOptions = {}): Promise<Keys> =>
  openRing(createRingFile(folder), options)

/**
 * Opens the ring, which it creates when missing, and tries every key. Throws {@link KeyFileError} for a storage or a ring
 * that it cannot trust.
 */
export async function openRing(storage: RingStorage, options: KeyOptions = {}): Promise<Keys> {
  const { algorithm = "ES256", rotationSeconds = Number.POSITIVE_INFINITY, signer, log } = options
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const custody = (): Custody => ({ algorithm, now: now() })
  const external = signer && readSigner(signer)
  await storage.open()
  const load = createRingLoader(storage.place, { signer, log })
  const start = (ring: KeyRing): KeyRing => {
    if (external) checkAgainst(ring, external)
    return prepared(ring, external, custody())
  }
  let held = await load(await storage.update(start))
  let failedAt = Number.NEGATIVE_INFINITY
  const tokens = createTokenKeys({
    held: () => held,
    now,
    signerId: signer?.kid,
    onFailed() {
      failedAt = now()
    },
  })
  const secrets = createSecretKeys({ ring: () => held.ring, now })

  return {
    ...tokens.verbs,
    ...secrets.verbs,
    ringId: () => held.ring.id ?? "",
    check() {
      tokens.requireKey()
      secrets.requireKey()
      if (now() < failedAt + pauseSeconds) throw new SignerUnavailable("the signer has just failed")
    },
    async refresh() {
      const found = await storage.read(held.version)
      const due = renewed(found.ring, rotationSeconds, custody()) !== found.ring
      const newest = due ? await storage.update((ring) => renewed(ring, rotationSeconds, custody())) : found
      if (newest.number === held.version.number) return
      held = await load(newest)
      log?.info({ keys: held.ring.access.map(({ id }) => id) }, "the keys have changed")
    },
  }
}
