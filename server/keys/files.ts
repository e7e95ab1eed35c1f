/** Creates secret files with mode 0600, and reads those that nobody else can read. */
import { randomUUID } from "node:crypto"
import { constants } from "node:fs"
import { type FileHandle, link, mkdir, open, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"

/** A key, or a file of one, that cannot be trusted or used; the message names the file as it was configured. */
export class KeyFileError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "KeyFileError"
  }
}

/** The file appears whole and on disk, or not at all; false when there is one already. */
export async function createSecret(file: string, text: string): Promise<boolean> {
  try {
    await writeSecret(file, text, link)
    return true
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false
    throw error
  }
}

/** Every reader finds the old file or the new one, whole. */
export const replaceSecret = (file: string, text: string): Promise<void> => writeSecret(file, text, rename)

/** `publish` gives the draft, which is on disk, its name. */
async function writeSecret(
  file: string,
  text: string,
  publish: (draft: string, file: string) => Promise<void>,
): Promise<void> {
  const draft = `${file}.${randomUUID()}`
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY
  const handle = await requireWritable(file, open(draft, flags, 0o600))
  try {
    await handle.writeFile(text)
    await handle.sync()
    await publish(draft, file)
  } finally {
    await handle.close()
    await rm(draft, { force: true })
  }
  await syncFolder(dirname(file))
}

/** Undefined when there is none. Opened once and checked by its handle: a file swapped in between is never read. */
export async function readSecret(file: string): Promise<string | undefined> {
  const handle = await openUnlinked(file, constants.O_RDONLY, "a regular file")
  if (!handle) return undefined
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw new KeyFileError(`${file}: wanted a regular file`)
    checkMode(file, stats.mode & 0o777, 0o600)
    return await handle.readFile("utf8")
  } finally {
    await handle.close()
  }
}

/** Creates the folder, or refuses a link and a folder open to others: renaming files in it would choose the keys. */
export async function ownFolder(folder: string): Promise<void> {
  await createFolder(folder)
  const handle = await openUnlinked(folder, constants.O_RDONLY | constants.O_DIRECTORY, "a folder")
  if (!handle) throw new KeyFileError(`${folder}: was removed while it was opened`)
  try {
    checkMode(folder, (await handle.stat()).mode & 0o777, 0o700)
  } finally {
    await handle.close()
  }
}

export async function createFolder(folder: string): Promise<void> {
  await requireWritable(folder, mkdir(folder, { recursive: true, mode: 0o700 }))
}

async function openUnlinked(file: string, flags: number, wanted: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, flags | constants.O_NOFOLLOW)
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined
    // A link opened as a folder is ENOTDIR.
    if (hasCode(error, "ELOOP") || hasCode(error, "ENOTDIR"))
      throw new KeyFileError(`${file}: found a symbolic link, wanted ${wanted}`)
    return await requireReadable(file, Promise.reject(error))
  }
}

function checkMode(file: string, mode: number, wanted: number): void {
  if ((mode & ~wanted) === 0) return
  throw new KeyFileError(
    `${file}: found mode ${octal(mode)}, wanted ${octal(wanted)} (chmod ${wanted.toString(8)})`,
  )
}

export const octal = (mode: number): string => `0${mode.toString(8)}`

/** Codes of a file system that lacks a permission, room or a disk: a person must mend these. */
const refusals = ["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "ENOTDIR", "EEXIST"]

export const requireReadable = <T>(file: string, work: Promise<T>): Promise<T> =>
  explain(work, (code) => `${file}: cannot be read (${code}), wanted a file this process may read`)

const requireWritable = <T>(file: string, work: Promise<T>): Promise<T> =>
  explain(work, (code) => `${file}: cannot be created (${code}), wanted a folder this process may write to`)

async function explain<T>(work: Promise<T>, message: (code: string) => string): Promise<T> {
  try {
    return await work
  } catch (error) {
    const code = refusals.find((each) => hasCode(error, each))
    throw code === undefined ? error : new KeyFileError(message(code))
  }
}

/** A new name is on disk only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code

/** Of 32 random bytes fewer than 16 are different once in 10^16 keys; of what people type, nearly always. */
export const isGuessable = (hex: string): boolean => new Set(hex.match(/../g)).size < 16
