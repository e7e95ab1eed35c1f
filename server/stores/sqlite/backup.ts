/** Copies the database file while services write to it, by SQLite's online backup. */
import { randomUUID } from "node:crypto"
import { closeSync, fsyncSync, linkSync, openSync, rmSync } from "node:fs"
import { dirname, resolve } from "node:path"
import type BetterSqlite3 from "better-sqlite3"
import { StoreFileError } from "../../ports/store.ts"
import { codeOf } from "./errors.ts"
import { loadSqlite } from "./package.ts"

/** All pages in one step: a backup in several steps begins anew after each write of another process. */
const allPages = 0x7fff_ffff

/**
 * Writes the books as of one moment to a new file of mode 0600. The file appears whole and on disk, or not at all. The
 * schema stays as it is, so that a backup can be taken before an upgrade. Throws {@link StoreFileError}.
 */
export async function backupSqlite(file: string, target: string): Promise<void> {
  const Sqlite = await loadSqlite()
  const draft = `${resolve(target)}.${randomUUID()}`
  try {
    const source = new Sqlite(resolve(file), { readonly: true, fileMustExist: true })
    try {
      closeSync(openSync(draft, "wx", 0o600))
      await source.backup(draft, { progress: () => allPages })
    } finally {
      source.close()
    }
    checkCopy(Sqlite, draft)
    syncPath(draft)
    linkSync(draft, target)
    syncPath(dirname(draft))
  } catch (error) {
    if (error instanceof StoreFileError) throw error
    if (codeOf(error) === "EEXIST") throw new StoreFileError(`${target}: found a file, wanted a new name`)
    throw new StoreFileError(`${file}: cannot be backed up to ${target} (${codeOf(error) ?? "unknown"})`)
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${draft}${suffix}`, { force: true })
  }
}

function checkCopy(Sqlite: typeof BetterSqlite3, draft: string): void {
  const copy = new Sqlite(draft, { fileMustExist: true })
  try {
    // One file without a log beside it can be moved anywhere.
    copy.pragma("journal_mode = DELETE")
    const found = String(copy.pragma("integrity_check", { simple: true }))
    if (found !== "ok")
      throw new StoreFileError("the database is damaged (integrity_check), wanted a sound one")
  } finally {
    copy.close()
  }
}

function syncPath(path: string): void {
  const handle = openSync(path, "r")
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
