/** Secret files: created once with mode 0600, read only while nobody else can. */
import { randomUUID } from "node:crypto"
import { constants } from "node:fs"
import { type FileHandle, link, mkdir, open, unlink } from "node:fs/promises"
import { dirname } from "node:path"

/** A key file that cannot be trusted or used; the message names the file as it was configured. */
export class KeyFileError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "KeyFileError"
  }
}

/**
 * Reads the file, or creates it with what `make` gives. It is opened once and examined by its handle, so that it cannot
 * be swapped in between; a new one appears whole or not at all, so that two processes starting at once agree on one.
 */
export async function readOrCreateSecret(
  file: string,
  make: () => Promise<string>,
): Promise<{ text: string; created: boolean }> {
  const found = await readSecret(file)
  if (found !== undefined) return { text: found, created: false }
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const text = await make()
  const draft = `${file}.${randomUUID()}`
  const handle = await open(draft, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
    await link(draft, file)
    return { text, created: true }
  } catch (error) {
    const other = hasCode(error, "EEXIST") ? await readSecret(file) : undefined
    if (other === undefined) throw error
    return { text: other, created: false }
  } finally {
    await handle.close()
    await unlink(draft)
  }
}

async function readSecret(file: string): Promise<string | undefined> {
  let handle: FileHandle
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined
    if (hasCode(error, "ELOOP"))
      throw new KeyFileError(`${file}: found a symbolic link, wanted a regular file`)
    throw error
  }
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw new KeyFileError(`${file}: wanted a regular file`)
    const mode = stats.mode & 0o777
    if ((mode & 0o177) !== 0)
      throw new KeyFileError(`${file}: found mode 0${mode.toString(8)}, wanted 0600 (chmod 600)`)
    return await handle.readFile("utf8")
  } finally {
    await handle.close()
  }
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code
