/** Reads a secret file as containers mount it: behind a link, readable by a group, on a read-only mount. */
import { constants } from "node:fs"
import { type FileHandle, lstat, open, readFile, realpath } from "node:fs/promises"
import { basename, dirname, join, relative, sep } from "node:path"
import { hasCode, KeyFileError, octal, requireReadable } from "./files.ts"

/** A mount replaces its secrets by turning a link, so a path may end in the folder of a moment ago. */
const mostTries = 10

/** Undefined when there is no file. Throws {@link KeyFileError} for one that others could have chosen or read. */
export async function readMountedSecret(file: string): Promise<string | undefined> {
  for (let tries = 0; tries < mostTries; tries++) {
    const found = await requireReadable(file, findReal(file))
    if (!found) return undefined
    const handle = await openReal(file, found.real)
    if (!handle) continue
    try {
      if (found.real !== join(found.folder, basename(file))) await checkFolders(file, found)
      await checkFile(file, handle)
      return await handle.readFile("utf8")
    } finally {
      await handle.close()
    }
  }
  throw new KeyFileError(`${file}: was removed while it was read`)
}

type Found = {
  /** The real path of the folder that the configuration names. */
  readonly folder: string
  /** The real path of the file, below that folder. */
  readonly real: string
}

async function findReal(file: string): Promise<Found | undefined> {
  const isThere = await lstat(file).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, "ENOENT")) return false
      throw error
    },
  )
  if (!isThere) return undefined
  const folder = await realpath(dirname(file))
  const real = await realpath(file).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) throw new KeyFileError(`${file}: found a link to nothing, wanted a file`)
    throw error
  })
  const inside = relative(folder, real)
  if (inside.split(sep)[0] === "..")
    throw new KeyFileError(`${file}: found a symbolic link out of its folder, wanted one that stays in it`)
  return { folder, real }
}

/** Undefined when the file has gone since its path was resolved. */
async function openReal(file: string, real: string): Promise<FileHandle | undefined> {
  try {
    return await requireReadable(file, open(real, constants.O_RDONLY | constants.O_NOFOLLOW))
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ELOOP")) return undefined
    throw error
  }
}

/** Checks the folders on the way to a linked file, because a user who may write there could replace the key. */
async function checkFolders(file: string, { folder, real }: Found): Promise<void> {
  const names = relative(folder, dirname(real)).split(sep)
  const folders = names.map((_, index) => join(folder, ...names.slice(0, index + 1)))
  for (const each of new Set([folder, ...folders])) {
    const handle = await open(each, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    try {
      const mode = (await handle.stat()).mode & 0o777
      if ((mode & 0o022) !== 0 && !(await isOnReadOnlyMount(handle)))
        throw new KeyFileError(
          `${file}: found a link through a folder of mode ${octal(mode)}, wanted one that only its owner can write to`,
        )
    } finally {
      await handle.close()
    }
  }
}

async function checkFile(file: string, handle: FileHandle): Promise<void> {
  const stats = await handle.stat()
  if (!stats.isFile()) throw new KeyFileError(`${file}: wanted a regular file`)
  const mode = stats.mode & 0o777
  if ((mode & ~0o640) === 0) return
  if ((mode & ~0o644) === 0 && (await isOnReadOnlyMount(handle))) return
  throw new KeyFileError(
    `${file}: found mode ${octal(mode)}, wanted 0600, 0440 or on a read-only mount 0444 (chmod 600)`,
  )
}

/** False where the system does not say, such as on any but Linux. */
async function isOnReadOnlyMount({ fd }: FileHandle): Promise<boolean> {
  const read = (file: string) => readFile(file, "utf8").catch(() => "")
  const [handle, mounts] = await Promise.all([read(`/proc/self/fdinfo/${fd}`), read("/proc/self/mountinfo")])
  const id = /^mnt_id:\s*([0-9]+)$/m.exec(handle)?.[1]
  const mount = mounts.split("\n").find((line) => line.split(" ", 1)[0] === id)
  return mount !== undefined && isReadOnly(mount)
}

/** Of a line of proc_pid_mountinfo(5): the mount itself, or after the dash the whole file system. */
export function isReadOnly(mount: string): boolean {
  const [own = "", fileSystem = ""] = mount.split(" - ")
  const options = [own.split(" ")[5], fileSystem.split(" ")[2]]
  return options.some((list) => list?.split(",").includes("ro"))
}
