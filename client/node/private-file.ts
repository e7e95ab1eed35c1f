/** Prepares a file that only its owner can read, because the client keeps money in it. */
import { closeSync, constants, lstatSync, mkdirSync, openSync, type Stats, statfsSync } from "node:fs"
import { dirname } from "node:path"
import { Ticket402Error } from "../core/errors.ts"

/** Errors name no path, because logs of agents have many readers. */
export const unavailable = (found: string, wanted: string): Ticket402Error =>
  new Ticket402Error("store_unavailable", "The file of the client's store cannot be used.", {
    action: "stop",
    found,
    wanted,
  })

/** Numbers of `linux/magic.h`. File systems behind FUSE and 9p cannot be recognised. */
const networkFileSystems: ReadonlySet<number> = new Set([
  0x6969, 0xff534d42, 0xfe534d42, 0x517b, 0x5346414f, 0x73757245, 0x564c, 0x00c36400,
])

/**
 * Makes the file with mode 0600 when it is missing, and its folder with 0700. Throws for one that others can read, for a
 * link, and for one on a network, where locks do not hold. An existing file is examined by name: closing a descriptor of
 * it would give up the locks that another handle of this process has on it (POSIX).
 */
export function preparePrivateFile(file: string): void {
  try {
    const folder = dirname(file)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (process.platform === "linux" && networkFileSystems.has(statfsSync(folder).type >>> 0))
      throw unavailable("a network file system", "a disk of this machine")
    createOnce(file)
    const flaw = flawOf(lstatSync(file))
    if (flaw) throw unavailable(flaw.found, flaw.wanted)
  } catch (error) {
    throw error instanceof Ticket402Error ? error : unavailable(codeOf(error), "a file that can be opened")
  }
}

/** Why a file is not its owner's alone; undefined when it is. */
export function flawOf(stats: Stats): { readonly found: string; readonly wanted: string } | undefined {
  if (!stats.isFile()) return { found: "no regular file", wanted: "a regular file" }
  const mode = stats.mode & 0o777
  if ((mode & 0o177) === 0) return undefined
  return { found: `mode 0${mode.toString(8)}`, wanted: "0600 (chmod 600)" }
}

/** Creates the file before SQLite does, which uses a wider mode; its side files inherit the mode. */
function createOnce(file: string): void {
  try {
    closeSync(openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600))
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error
  }
}

export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown"
