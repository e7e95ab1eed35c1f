/** The folder of the commands: the account's key file, the store of tokens and spendings, and the settings. */
import { join, resolve } from "node:path"
import envPaths from "env-paths"
import type { Terminal } from "./terminal.ts"

export type HomeOptions = {
  /** Instead of the folder that this system has for data; also `TICKET402_HOME`. */
  readonly home?: string
}

export type Home = {
  readonly folder: string
  readonly account: string
  readonly store: string
  readonly settings: string
}

export function homeOf({ home }: HomeOptions, { env }: Pick<Terminal, "env">): Home {
  const folder = resolve(home || env.TICKET402_HOME || envPaths("ticket402", { suffix: "" }).data)
  return {
    folder,
    account: join(folder, "account.json"),
    store: join(folder, "client.db"),
    settings: join(folder, "settings.json"),
  }
}
