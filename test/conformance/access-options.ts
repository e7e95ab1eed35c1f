/** Reads the access to the service from command-line options; secrets come in files, never in arguments. */
import { readFile } from "node:fs/promises"
import { privateKeyToAccount } from "viem/accounts"
import type { Access, Credentials } from "./access.ts"
import { readServiceKey } from "./forgery.ts"

export type AccessOptions = {
  readonly route?: string
  readonly account?: string
  readonly network: string
  readonly most: string
  readonly client?: string
  readonly introspection?: string
  readonly keys?: string
}

/** An unusable option; the message names the file, and shows none of its content. */
export class OptionError extends Error {}

/** Throws {@link OptionError}. */
export async function readAccess(url: string, options: AccessOptions): Promise<Access> {
  const { account, network, most, keys, route } = options
  if (!URL.canParse(url)) throw new OptionError(`${url}: wanted the URL of a service`)
  return {
    url,
    route,
    payer: account === undefined ? undefined : { account: await readAccount(account), network, most },
    client: await readCredentials(options.client),
    introspection: await readCredentials(options.introspection),
    key: keys === undefined ? undefined : await readKey(keys),
  }
}

async function readAccount(file: string) {
  const text = await readText(file)
  if (!/^(0x)?[0-9a-fA-F]{64}$/.test(text))
    throw new OptionError(`${file}: wanted a private key, 32 bytes in hex`)
  return privateKeyToAccount(`0x${text.replace(/^0x/, "")}`)
}

async function readCredentials(file: string | undefined): Promise<Credentials | undefined> {
  if (file === undefined) return undefined
  const [, id, secret] = /^([^:\s]+):(\S+)$/.exec(await readText(file)) ?? []
  if (id === undefined || secret === undefined) throw new OptionError(`${file}: wanted one line, ID:SECRET`)
  return { id, secret }
}

async function readKey(folder: string) {
  const key = await readServiceKey(folder).catch(() => undefined)
  if (!key) throw new OptionError(`${folder}: wanted the key folder of the service`)
  return key
}

async function readText(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch(() => undefined)
  if (text === undefined) throw new OptionError(`${file}: wanted a file that can be read`)
  return text.trim()
}
