/** The database file: private to its owner, opened with pragmas that are read back. */
import { randomUUID } from "node:crypto"
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
  statfsSync,
  unlinkSync,
} from "node:fs"
import { dirname, resolve } from "node:path"
import type BetterSqlite3 from "better-sqlite3"
import { StoreFileError } from "../../ports/store.ts"
import { codeOf } from "./errors.ts"
import { migrate, missing } from "./schema.ts"

/** How long SQLite itself waits for a lock; beyond that the thread waits without blocking. */
const busyMilliseconds = 50

/** The kind of file system a folder is on, as Linux numbers them (statfs(2)). */
export type FileSystemOf = (folder: string) => number

/**
 * Opens the file, made with mode 0600 when it is missing, at the current schema. Throws {@link StoreFileError} for a file
 * that must not be used, and SQLite's BUSY while another process holds it.
 */
export function openDatabase(
  Sqlite: typeof BetterSqlite3,
  file: string,
  fileSystemOf: FileSystemOf = (folder) => statfsSync(folder).type,
): BetterSqlite3.Database {
  preparePrivateFile(file, fileSystemOf)
  // An absolute path, because SQLite gives `:memory:` and the empty name meanings of their own.
  const db = new Sqlite(resolve(file), { fileMustExist: true, timeout: busyMilliseconds })
  try {
    // Before anything is changed: the file may be somebody else's.
    missing(db, file)
    applyPragmas(db, file)
    migrate(db, file)
    db.defaultSafeIntegers(true)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** A database in memory at the current schema. */
export function openMemory(Sqlite: typeof BetterSqlite3): BetterSqlite3.Database {
  const db = new Sqlite(":memory:")
  db.pragma("foreign_keys = ON")
  migrate(db, "memory:")
  db.defaultSafeIntegers(true)
  return db
}

/**
 * Sets and verifies the pragmas of a new connection. SQLite keeps only the journal mode in the file, and a build of
 * better-sqlite3 lowers `synchronous` to NORMAL in WAL mode. Then a redemption, and with it the replay lock, could
 * vanish at power loss.
 */
export function applyPragmas(db: Pick<BetterSqlite3.Database, "pragma">, file: string): void {
  const wanted = [
    ["journal_mode", "WAL", "wal"],
    ["synchronous", "FULL", "2"],
    ["foreign_keys", "ON", "1"],
    ["busy_timeout", String(busyMilliseconds), String(busyMilliseconds)],
    ["trusted_schema", "OFF", "0"],
    // Ten times the default: a checkpoint writes each changed page once, however often it was changed since the last one.
    ["wal_autocheckpoint", "10000", "10000"],
    // In KiB, given as a negative number.
    ["cache_size", "-65536", "-65536"],
  ] as const
  for (const [name, value, readBack] of wanted) {
    db.pragma(`${name} = ${value}`)
    const found = String(db.pragma(name, { simple: true }))
    if (found !== readBack) throw new StoreFileError(`${file}: found ${name}=${found}, wanted ${readBack}`)
  }
}

/** Creates the file before SQLite would do it with a wider mode; `-wal` and `-shm` inherit the mode. */
function preparePrivateFile(file: string, fileSystemOf: FileSystemOf): void {
  try {
    const folder = dirname(resolve(file))
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    checkFileSystem(file, fileSystemOf(folder))
    if (!lstatSync(file, { throwIfNoEntry: false })) createFile(file)
    checkFile(file, lstatSync(file))
  } catch (error) {
    if (error instanceof StoreFileError) throw error
    const code = codeOf(error) ?? "unknown"
    throw new StoreFileError(
      `${file}: cannot be opened (${code}), wanted a file in a folder that this user may write`,
    )
  }
}

/** Magic numbers of `linux/magic.h`. FUSE and 9p are not listed: the file system behind them is unknown. */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x517b, "SMB"],
  [0x5346414f, "AFS"],
  [0x73757245, "Coda"],
  [0x564c, "NCP"],
  [0x00c36400, "Ceph"],
])

/**
 * WAL needs memory that all processes share, and locks that hold: over a network two hosts would each believe to be the
 * only writer, and sell one payment twice (KEY-10). Only Linux numbers its file systems in this way.
 */
function checkFileSystem(file: string, type: number): void {
  const found = process.platform === "linux" ? networkFileSystems.get(type >>> 0) : undefined
  if (found !== undefined)
    throw new StoreFileError(`${file}: found a network file system (${found}), wanted a disk of this machine`)
}

/**
 * The file gets its name only when no descriptor of it is open any more: closing one gives up every lock that this
 * process holds on the file (POSIX), those of another SQLite handle included. For the same reason it is examined by
 * name and never opened here.
 */
function createFile(file: string): void {
  const draft = `${file}.${randomUUID()}`
  closeSync(openSync(draft, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600))
  try {
    linkSync(draft, file)
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error
  } finally {
    unlinkSync(draft)
  }
}

function checkFile(file: string, stats: Stats): void {
  if (stats.isSymbolicLink())
    throw new StoreFileError(`${file}: found a symbolic link, wanted a regular file`)
  if (!stats.isFile()) throw new StoreFileError(`${file}: wanted a regular file`)
  const mode = stats.mode & 0o777
  if ((mode & 0o177) !== 0)
    throw new StoreFileError(`${file}: found mode 0${mode.toString(8)}, wanted 0600 (chmod 600)`)
}
