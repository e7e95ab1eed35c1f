/** `keys list|rotate|remove`: looks after the signing keys while the service runs on the same folder. */

import { ConfigError } from "../config/config.ts"
import { createKeyMaintenance, type KeyMaintenance } from "../keys/key-maintenance.ts"
import { type CommandIo, onConfig, printJson, withStore } from "./with-store.ts"

export type KeysOptions = { readonly config: string; readonly kid?: string }

export type KeysIo = CommandIo & {
  /** Seconds since the epoch. */
  now(): number
}

type Task = (maintenance: KeyMaintenance, options: KeysOptions, io: KeysIo) => Promise<void>

const tasks = { list, rotate, remove } satisfies Record<string, Task>

/** Resolves with the exit code after the change is on disk. A running service applies it within 5 s. */
export const keys = (task: keyof typeof tasks, options: KeysOptions, io: KeysIo): Promise<number> =>
  onConfig(options.config, io, async (config) => {
    // A memory store is of no other process.
    if (!config.database.startsWith("memory:")) await withStore(config, async () => undefined)
    const maintenance = createKeyMaintenance(config.keys, { algorithm: config.tokenAlgorithm, now: io.now })
    await tasks[task](maintenance, options, io)
    return 0
  })

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
