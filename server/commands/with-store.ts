/** Runs the common part of commands: read the configuration, open its store, report their problems. */

import { requireOwnBooks } from "../books/owner.ts"
import { type Config, ConfigError, parseConfig } from "../config/config.ts"
import { inDatabase, readRingId, readStoredRingId } from "../keys/index.ts"
import { ChainUnavailable } from "../ports/chain.ts"
import { type Store, StoreUnavailable } from "../ports/store.ts"
import { openStore, placeOf } from "../stores/index.ts"
import { configExit, mendableProblems, readConfig } from "./config-file.ts"

export type CommandIo = {
  readonly environment: Record<string, string | undefined>
  /** Lines of the answer. */
  print(line: string): void
  /** Lines for the person at the terminal. */
  warn(line: string): void
}

/** Resolves with the exit code: that of the work, 1 when store or chain is unavailable, 78 to correct something first. */
export async function onConfig(
  file: string,
  io: CommandIo,
  work: (config: Config) => Promise<number>,
): Promise<number> {
  try {
    return await work(parseConfig(await readConfig(file), io.environment))
  } catch (error) {
    const isAway = error instanceof StoreUnavailable || error instanceof ChainUnavailable
    const problems = isAway ? [error.message] : mendableProblems(error)
    if (!problems) throw error
    for (const problem of problems) io.warn(`${file}: ${problem}`)
    return isAway ? 1 : configExit
  }
}

/** Opens the store of the configuration. Throws StoreFileError for the books of another service, as a start does. */
export async function openOwnStore(config: Config): Promise<Store> {
  const { database, issuer, keys } = config
  const store = await openStore(database, config)
  try {
    const ring = keys === inDatabase ? await readStoredRingId(store) : await readRingId(keys)
    requireOwnBooks(placeOf(database), await store.identity(), { issuer, ring })
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Does the work on the store that the configuration names, beside a running service, and closes it. */
export async function withStore<T>(config: Config, work: (store: Store) => Promise<T>): Promise<T> {
  if (config.database.startsWith("memory:"))
    throw new ConfigError([
      'database: found "memory:", wanted a database that this command and the service share',
    ])
  const store = await openOwnStore(config)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** Resolves with the exit code. `plan` reads the arguments before the store is opened. */
export const onStore = (
  file: string,
  io: CommandIo,
  plan: (config: Config) => (store: Store) => Promise<void>,
): Promise<number> =>
  onConfig(file, io, async (config) => {
    await withStore(config, plan(config))
    return 0
  })

export const printJson = (io: CommandIo, answer: object): void => io.print(JSON.stringify(answer))

export const nowSeconds = (): number => Math.floor(Date.now() / 1000)
