/** Runs commands of the client in this process, on streams of a test and in a folder of their own. */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { PassThrough, Readable } from "node:stream"
import * as Keystore from "ox/Keystore"
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts"
import { type Command, conclude } from "../../client/cli/conclude.ts"
import type { Streams } from "../../client/cli/terminal.ts"
import type { Hex } from "../../shared/values/evm.ts"

export const password = "correct horse"

export type AgentHome = {
  readonly home: string
  readonly passwordFile: string
  readonly address: Hex
  readonly key: Hex
}

/** A folder with settings and an account whose password is cheap to check. */
export async function agentHome(parent: string, settings: object = {}): Promise<AgentHome> {
  await mkdir(parent, { recursive: true })
  const home = await mkdtemp(join(parent, "agent-"))
  const key = generatePrivateKey()
  const passwordFile = join(home, "password")
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  await writeFile(join(home, "account.json"), cheapKeystore(key), { mode: 0o600 })
  await writeFile(join(home, "settings.json"), JSON.stringify(settings))
  return { home, passwordFile, key, address: privateKeyToAddress(key).toLowerCase() as Hex }
}

/** A keystore in the form in which another wallet writes it. */
export function cheapKeystore(key: Hex): string {
  const [derived, options] = Keystore.scrypt({ password, n: 2, r: 8, p: 1 })
  const address = privateKeyToAddress(key).slice(2).toLowerCase()
  return JSON.stringify({ address, ...Keystore.encrypt(key, derived, options) })
}

export type Ended = { readonly code: number; readonly stdout: Buffer; readonly stderr: string }

/** Runs a command without a terminal. */
export async function runHere(
  command: Command,
  options: { readonly json?: boolean; readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const written = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  stdout.on("data", (chunk: Buffer) => written.stdout.push(chunk))
  stderr.on("data", (chunk: Buffer) => written.stderr.push(chunk))
  const stdin = Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)])
  const streams = { env: options.env ?? {}, stdin, stdout, stderr } as unknown as Streams
  const code = await conclude(streams, options, command)
  return { code, stdout: Buffer.concat(written.stdout), stderr: Buffer.concat(written.stderr).toString() }
}
