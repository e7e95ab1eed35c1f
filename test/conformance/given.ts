/** What the looker is given on the command line; secrets come in files, never in arguments. */
import { readFile } from "node:fs/promises"
import { privateKeyToAccount } from "viem/accounts"
import { readServiceKey } from "./forgery.ts"
import type { Credentials, Means } from "./means.ts"

export type Given = {
  readonly route?: string
  readonly account?: string
  readonly network: string
  readonly most: string
  readonly client?: string
  readonly introspection?: string
  readonly keys?: string
}

/** What is wrong with what was given; it names the file, and shows nothing of it. */
export class GivenError extends Error {}

/** Throws {@link GivenError}. */
export async function readMeans(url: string, given: Given): Promise<Means> {
  const { account, network, most, keys, route } = given
  if (!URL.canParse(url)) throw new GivenError(`${url}: wanted the URL of a service`)
  return {
    url,
    route,
    payer: account === undefined ? undefined : { account: await readAccount(account), network, most },
    client: await readCredentials(given.client),
    introspection: await readCredentials(given.introspection),
    key: keys === undefined ? undefined : await readKey(keys),
  }
}

async function readAccount(file: string) {
  const text = await readText(file)
  if (!/^(0x)?[0-9a-fA-F]{64}$/.test(text))
    throw new GivenError(`${file}: wanted a private key, 32 bytes in hex`)
  return privateKeyToAccount(`0x${text.replace(/^0x/, "")}`)
}

async function readCredentials(file: string | undefined): Promise<Credentials | undefined> {
  if (file === undefined) return undefined
  const [, id, secret] = /^([^:\s]+):(\S+)$/.exec(await readText(file)) ?? []
  if (id === undefined || secret === undefined) throw new GivenError(`${file}: wanted one line, ID:SECRET`)
  return { id, secret }
}

async function readKey(folder: string) {
  const key = await readServiceKey(folder).catch(() => undefined)
  if (!key) throw new GivenError(`${folder}: wanted the key folder of the service`)
  return key
}

async function readText(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch(() => undefined)
  if (text === undefined) throw new GivenError(`${file}: wanted a file that can be read`)
  return text.trim()
}
