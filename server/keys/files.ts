/** Secret files: created once with mode 0600, read only while nobody else can. */
import { randomUUID } from "node:crypto"
import { constants } from "node:fs"
import { type FileHandle, link, mkdir, open, unlink } from "node:fs/promises"
import { dirname } from "node:path"

/** A key, or a file of one, that cannot be trusted or used; the message names the file as it was configured. */
export class KeyFileError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "KeyFileError"
  }
}

/** Reads the file, or creates it with what `make` gives; two processes starting at once agree on one. */
export async function readOrCreateSecret(
  file: string,
  make: () => string,
): Promise<{ text: string; created: boolean }> {
  const found = await readSecret(file)
  if (found !== undefined) return { text: found, created: false }
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const text = make()
  if (await createSecret(file, text)) return { text, created: true }
  const other = await readSecret(file)
  if (other === undefined) throw new KeyFileError(`${file}: was removed while it was read`)
  return { text: other, created: false }
}

/** The file appears whole and on disk, or not at all; false when there is one already. */
export async function createSecret(file: string, text: string): Promise<boolean> {
  const draft = `${file}.${randomUUID()}`
  const handle = await open(draft, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
    await link(draft, file)
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false
    throw error
  } finally {
    await handle.close()
    await unlink(draft)
  }
  await syncFolder(dirname(file))
  return true
}

/** Undefined when there is none. Opened once and examined by its handle, so that it cannot be swapped in between. */
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

/** Creates the folder, or refuses one that is a link or open to others: who may rename files in it chooses the keys. */
export async function ownFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const handle = await openUnlinked(folder, constants.O_RDONLY | constants.O_DIRECTORY, "a folder")
  if (!handle) throw new KeyFileError(`${folder}: was removed while it was opened`)
  try {
    checkMode(folder, (await handle.stat()).mode & 0o777, 0o700)
  } finally {
    await handle.close()
  }
}

async function openUnlinked(file: string, flags: number, wanted: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, flags | constants.O_NOFOLLOW)
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined
    // A link opened as a folder is ENOTDIR.
    if (hasCode(error, "ELOOP") || hasCode(error, "ENOTDIR"))
      throw new KeyFileError(`${file}: found a symbolic link, wanted ${wanted}`)
    throw error
  }
}

function checkMode(file: string, mode: number, wanted: number): void {
  if ((mode & ~wanted) === 0) return
  const octal = wanted.toString(8)
  throw new KeyFileError(`${file}: found mode 0${mode.toString(8)}, wanted 0${octal} (chmod ${octal})`)
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
