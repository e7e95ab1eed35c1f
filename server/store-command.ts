/** What the commands share that work on the store of a running service: they open it, and say what is wrong with it. */

import { configExit, mendableProblems, readConfig } from "./config/file.ts"
import { type Config, ConfigError, parseConfig } from "./config.ts"
import { type Store, StoreUnavailable } from "./ports/store.ts"
import { openStore } from "./stores/index.ts"

export type CommandIo = {
  readonly environment: Record<string, string | undefined>
  /** Lines of the answer. */
  print(line: string): void
  /** Lines for the person at the terminal. */
  warn(line: string): void
}

/**
 * Resolves with the exit code: 0, 1 when the store is away, 78 for what a person must mend first. `plan` reads the
 * arguments before the store is opened.
 */
export async function onStore(
  file: string,
  io: CommandIo,
  plan: (config: Config) => (store: Store) => Promise<void>,
): Promise<number> {
  try {
    const config = parseConfig(await readConfig(file), io.environment)
    if (config.database.startsWith("memory:"))
      throw new ConfigError([
        'database: found "memory:", wanted a file that this command and the service share',
      ])
    const work = plan(config)
    const store = await openStore(config.database)
    try {
      await work(store)
    } finally {
      await store.close()
    }
    return 0
  } catch (error) {
    const problems = error instanceof StoreUnavailable ? [error.message] : mendableProblems(error)
    if (!problems) throw error
    for (const problem of problems) io.warn(`${file}: ${problem}`)
    return error instanceof StoreUnavailable ? 1 : configExit
  }
}

export const printJson = (io: CommandIo, answer: object): void => io.print(JSON.stringify(answer))

export const nowSeconds = (): number => Math.floor(Date.now() / 1000)
