/** Reads the password of the account from a file, the environment or the terminal. */
import { CommandError } from "./failures.ts"
import { readPrivate } from "./private-text.ts"
import type { Terminal } from "./terminal.ts"

export type PasswordOptions = {
  /** A file with mode 0600; its first line is the password. */
  readonly passwordFile?: string
}

/**
 * A password from a file or the environment; undefined when the person has to be asked. Never from arguments, which
 * all can see.
 */
async function givenPassword(options: PasswordOptions, terminal: Terminal): Promise<string | undefined> {
  if (options.passwordFile !== undefined) {
    const text = await readPrivate(options.passwordFile, "password file")
    if (text === undefined) throw new CommandError("There is no password file at that place.")
    return text.split(/\r?\n/, 1)[0] ?? ""
  }
  const password = terminal.env.TICKET402_PASSWORD
  if (password === undefined) return undefined
  terminal.say("warning: the password is in the environment, where other programs of yours can read it")
  return password
}

/** Throws a {@link CommandError} without a person at the terminal. */
export async function passwordOf(options: PasswordOptions, terminal: Terminal): Promise<string> {
  const given = await givenPassword(options, terminal)
  if (given !== undefined) return given
  if (!terminal.isAttended)
    throw new CommandError(
      "The account is locked: give --password-file or TICKET402_PASSWORD, or run it in a terminal.",
    )
  return terminal.askSecret("Password of the account")
}

const fewest = 8

/** A password for a new file, typed twice where it is typed. */
export async function newPassword(options: PasswordOptions, terminal: Terminal): Promise<string> {
  const given = await givenPassword(options, terminal)
  if (given === undefined && !terminal.isAttended)
    throw new CommandError("A new account needs a password: give --password-file, or run it in a terminal.")
  const password = given ?? (await terminal.askSecret("New password"))
  if (password.length < fewest)
    throw new CommandError(`The password is too short: wanted ${fewest} characters.`)
  if (given === undefined && (await terminal.askSecret("The same again")) !== password)
    throw new CommandError("The two passwords differ.")
  return password
}
