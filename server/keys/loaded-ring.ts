/** Loads a version of the key ring, and tries each of its signing keys once. */
import type { Logger } from "../ports/runtime.ts"
import { type Signer, tryExternal } from "./external-signer.ts"
import { KeyFileError } from "./files.ts"
import type { AccessKey, KeyRing, RingVersion } from "./ring.ts"
import { loadSigningKey, type SigningKey } from "./signing-key.ts"

type LoadedKey = { readonly key: AccessKey; readonly made: SigningKey }

export type LoadedRing = {
  readonly version: RingVersion
  readonly ring: KeyRing
  /** By the encoded header of the tokens that the key signs. */
  readonly byHeader: ReadonlyMap<string, LoadedKey>
  readonly byId: ReadonlyMap<string, LoadedKey>
}

export function createRingLoader(
  place: string,
  { signer, log }: { readonly signer: Signer | undefined; readonly log: Pick<Logger, "warn"> | undefined },
): (version: RingVersion) => Promise<LoadedRing> {
  const loaded = new Map<string, SigningKey>()

  async function loadKey(key: AccessKey): Promise<SigningKey> {
    const known = loaded.get(key.id)
    if (known) return known
    const mine = signer?.kid === key.id
    const made = await loadSigningKey(key, mine ? signer.sign : undefined)
    if (mine) await tryExternal(made, log)
    else if (key.jwk.d !== undefined && !(await made.works()))
      // The first customer must not be the one to find a damaged key.
      throw new KeyFileError(`${place}: what the key ${key.id} signs cannot be verified`)
    loaded.set(key.id, made)
    return made
  }

  return async (version) => {
    const { ring } = version
    const keys = await Promise.all(ring.access.map(async (key) => ({ key, made: await loadKey(key) })))
    return {
      version,
      ring,
      byHeader: new Map(keys.map((each) => [each.made.tokenHeader, each])),
      byId: new Map(keys.map((each) => [each.key.id, each])),
    }
  }
}
