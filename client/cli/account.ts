/** `account new|import|show`: the account that pays, its key in an encrypted file. */
import { text as textOf } from "node:stream/consumers"
import { getAddress } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { type Address, type Hex, parseAddress } from "../../shared/values/evm.ts"
import { CommandError } from "./failures.ts"
import { type HomeOptions, homeOf } from "./home.ts"
import { type KeyFile, openKey, parseKeyFile, sealKey } from "./keystore.ts"
import { newPassword, type PasswordOptions, passwordOf } from "./password.ts"
import { alreadyThere, createPrivate, readPrivate } from "./private-text.ts"
import type { Terminal } from "./terminal.ts"

export type AccountOptions = HomeOptions &
  PasswordOptions & {
    /** A keystore of another wallet, under the same password. */
    readonly keystore?: string
  }

export type Account = { readonly address: Address; readonly file: KeyFile }

export class MissingAccountError extends CommandError {
  constructor() {
    super("There is no account yet. Make one: ticket402 account new, or account import.")
    this.name = "MissingAccountError"
  }
}

/** Throws a {@link MissingAccountError} when there is none. */
export async function readAccount(path: string): Promise<Account> {
  const text = await readPrivate(path, "account file")
  if (text === undefined) throw new MissingAccountError()
  const file = parseKeyFile(text)
  if (!file.address) throw new CommandError("The account file names no address: import it.")
  return { address: file.address, file }
}

export async function accountNew(options: AccountOptions, terminal: Terminal): Promise<void> {
  await requireNone(options, terminal)
  await keep(generatePrivateKey(), await newPassword(options, terminal), options, terminal)
}

export async function accountImport(options: AccountOptions, terminal: Terminal): Promise<void> {
  await requireNone(options, terminal)
  if (options.keystore === undefined)
    return keep(await givenKey(terminal), await newPassword(options, terminal), options, terminal)
  const text = await readPrivate(options.keystore, "keystore")
  if (text === undefined) throw new CommandError("There is no keystore at that place.")
  const file = parseKeyFile(text)
  const { address } = await openKey(file, await passwordOf(options, terminal))
  const whole = { ...file, address: address.slice(2).toLowerCase() }
  await createPrivate(homeOf(options, terminal).account, `${JSON.stringify(whole)}\n`, "account file")
  printAddress(address, terminal)
}

export async function accountShow(options: AccountOptions, terminal: Terminal): Promise<void> {
  const { address } = await readAccount(homeOf(options, terminal).account)
  printAddress(address, terminal)
}

/** Before anybody types a password in vain. */
async function requireNone(options: AccountOptions, terminal: Terminal): Promise<void> {
  const { account } = homeOf(options, terminal)
  if ((await readPrivate(account, "account file")) !== undefined) throw alreadyThere("account file")
}

async function keep(key: Hex, password: string, options: AccountOptions, terminal: Terminal): Promise<void> {
  const address = parseAddress(privateKeyToAccount(key).address)
  if (!address) throw new CommandError("The key has no address.")
  await createPrivate(
    homeOf(options, terminal).account,
    await sealKey(key, address, password),
    "account file",
  )
  terminal.say("Keep the password: without it the key, and what the account holds, is lost.")
  printAddress(address, terminal)
}

/** In the spelling that guards against typing errors (EIP-55): money will be sent there. */
const printAddress = (address: Address, terminal: Terminal): void =>
  terminal.printJson({ address: getAddress(address) })

/** Typed, or piped in; never an argument. */
async function givenKey(terminal: Terminal): Promise<Hex> {
  const text = terminal.isAttended
    ? await terminal.askSecret("Private key (0x and 64 digits)")
    : await textOf(terminal.stdin)
  const key = text.trim()
  try {
    privateKeyToAccount(key as Hex)
    return key as Hex
  } catch {
    // Its own error could quote the key.
    throw new CommandError("That is no private key: wanted 0x and 64 hexadecimal digits.")
  }
}
