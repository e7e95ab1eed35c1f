/** Opens the keys that the configuration names, in a folder or in the database. */
import type { Config } from "../config/config.ts"
import { createRingFile, inDatabase, openRing, openRingDatabase } from "../keys/index.ts"
import type { Keys } from "../ports/keys.ts"
import type { Store } from "../ports/store.ts"
import type { IssuerOptions } from "./issuer-options.ts"
import type { Runtime } from "./runtime.ts"

/** Throws KeyFileError for keys that cannot be trusted, and StoreUnavailable. */
export async function openServiceKeys(
  config: Config,
  store: Store,
  { signer, environment }: Pick<IssuerOptions, "signer" | "environment">,
  { now, log }: Runtime,
): Promise<Keys> {
  const storage =
    config.keys === inDatabase
      ? await openRingDatabase(store, config, environment)
      : createRingFile(config.keys)
  return openRing(storage, {
    now,
    algorithm: config.tokenAlgorithm,
    rotationSeconds: config.keyRotationDays * 86_400,
    log,
    ...(signer && { signer }),
  })
}
