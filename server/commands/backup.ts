/** `backup`: copies the books of a SQLite service to a file while it runs, and names the keys that belong to them. */
import { ConfigError } from "../config/config.ts"
import { inDatabase } from "../keys/index.ts"
import { backupSqlite } from "../stores/index.ts"
import { type CommandIo, onConfig, printJson } from "./with-store.ts"

export type BackupOptions = { readonly config: string; readonly file: string }

/** Resolves with the exit code after the copy is on disk. */
export const backup = ({ config: path, file }: BackupOptions, io: CommandIo): Promise<number> =>
  onConfig(path, io, async ({ database, keys, keyEncryptionKeyFile, relayer }) => {
    if (!database.startsWith("sqlite:"))
      throw new ConfigError([
        'database: found another one, wanted "sqlite:FILE"; back up PostgreSQL with pg_dump or pg_basebackup',
      ])
    await backupSqlite(database.slice("sqlite:".length), file)
    const isInside = keys === inDatabase
    printJson(io, {
      backup: file,
      keys: isInside ? "included, encrypted" : "not included",
      alsoKeep: [isInside ? (keyEncryptionKeyFile ?? []) : keys, relayer.privateKeyFile].flat(),
    })
    return 0
  })
