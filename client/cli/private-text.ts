/** Small files that only their owner may read: keys and passwords. */
import { lstat, mkdir, readFile, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { codeOf, flawOf } from "../node/private-file.ts"
import { CommandError } from "./failures.ts"

/** Undefined when there is none. Throws a {@link CommandError} for a file that others can read; `what` names it. */
export async function readPrivate(file: string, what: string): Promise<string | undefined> {
  try {
    const flaw = flawOf(await lstat(file))
    if (flaw) throw new CommandError(`The ${what} is not used: found ${flaw.found}, wanted ${flaw.wanted}.`)
    return await readFile(file, "utf8")
  } catch (error) {
    if (error instanceof CommandError) throw error
    if (codeOf(error) === "ENOENT") return undefined
    throw new CommandError(`The ${what} cannot be read (${codeOf(error)}).`)
  }
}

/** Makes the file with mode 0600, and its folder with 0700; never over another one. */
export async function createPrivate(file: string, text: string, what: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(file, text, { mode: 0o600, flag: "wx", flush: true })
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw alreadyThere(what)
    throw new CommandError(`The ${what} cannot be written (${codeOf(error)}).`)
  }
}

export const alreadyThere = (what: string): CommandError =>
  new CommandError(`There is an ${what} already; move it away first, it may hold money.`)
