/** `keys list|rotate|remove|rewrap|import`: looks after the keys while the service runs on them. */

import { type Config, ConfigError } from "../config/config.ts"
import { createRingFile, inDatabase, openRingDatabase, type RingStorage } from "../keys/index.ts"
import { createKeyMaintenance, type KeyMaintenance } from "../keys/key-maintenance.ts"
import { type CommandIo, onConfig, printJson, withStore } from "./with-store.ts"

export type KeysOptions = { readonly config: string; readonly kid?: string; readonly folder?: string }

export type KeysIo = CommandIo & {
  /** Seconds since the epoch. */
  now(): number
}

type Task = (maintenance: KeyMaintenance, options: KeysOptions, io: KeysIo) => Promise<void>

const ofDatabase: readonly string[] = ["rewrap", "import"]
const tasks = { list, rotate, remove, rewrap, import: importFolder } satisfies Record<string, Task>

/** Resolves with the exit code after the change is on disk. A running service applies it within 5 s. */
export const keys = (task: keyof typeof tasks, options: KeysOptions, io: KeysIo): Promise<number> =>
  onConfig(options.config, io, async (config) => {
    if (ofDatabase.includes(task) && config.keys !== inDatabase)
      throw new ConfigError([`keys: found a folder, wanted "database" for keys ${task}`])
    const work = async (storage: RingStorage) => {
      const maintenance = createKeyMaintenance(storage, { algorithm: config.tokenAlgorithm, now: io.now })
      await tasks[task](maintenance, options, io)
    }
    if (config.keys === inDatabase) await inStore(config, { task, options, io }, work)
    else {
      // A memory store is of no other process.
      if (!config.database.startsWith("memory:")) await withStore(config, async () => undefined)
      await work(createRingFile(config.keys))
    }
    return 0
  })

/** Books before an import still belong to the keys of the folder. */
const inStore = (
  config: Config,
  { task, options, io }: { readonly task: string; readonly options: KeysOptions; readonly io: KeysIo },
  work: (storage: RingStorage) => Promise<void>,
): Promise<void> =>
  withStore(task === "import" ? { ...config, keys: options.folder ?? "" } : config, async (store) =>
    work(await openRingDatabase(store, config, io.environment)),
  )

async function list(maintenance: KeyMaintenance, _options: KeysOptions, io: KeysIo): Promise<void> {
  for (const key of await maintenance.list()) printJson(io, key)
}

async function rotate(maintenance: KeyMaintenance, _options: KeysOptions, io: KeysIo): Promise<void> {
  const { waitSeconds, own } = await maintenance.rotate()
  if (waitSeconds > 0)
    throw new ConfigError([
      `the next key was published less than a minute ago; verifiers may not have it yet, try again in ${waitSeconds} s`,
    ])
  if (!own) io.warn("access tokens are signed by a signer outside: start the service with another one")
  await list(maintenance, { config: "" }, io)
}

async function remove(maintenance: KeyMaintenance, { kid = "" }: KeysOptions, io: KeysIo): Promise<void> {
  if (!(await maintenance.remove(kid)))
    throw new ConfigError([`there is no key ${kid}; \`keys list\` shows them`])
  printJson(io, { removed: kid })
}

async function rewrap(maintenance: KeyMaintenance, _options: KeysOptions, io: KeysIo): Promise<void> {
  await maintenance.rewrap()
  await list(maintenance, { config: "" }, io)
}

async function importFolder(
  maintenance: KeyMaintenance,
  { folder = "" }: KeysOptions,
  io: KeysIo,
): Promise<void> {
  await maintenance.importFrom(createRingFile(folder))
  await list(maintenance, { config: "" }, io)
}
