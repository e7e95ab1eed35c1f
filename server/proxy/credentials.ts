/** Reads the credentials of a service at the start, from files or the environment. */
import { readFile } from "node:fs/promises"
import { ConfigError } from "../config/config.ts"
import type { ProxiedService, SecretSource } from "../core/proxied-services.ts"
import type { ProxyOptions } from "./options.ts"

type Environment = NonNullable<ProxyOptions["environment"]>

export type Credentials = {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Texts that no header of an answer may repeat. */
  readonly secrets: readonly string[]
}

/** Throws ConfigError, which names the key and never the value. */
export async function readCredentials(
  { name, bearer, headers }: ProxiedService,
  environment: Environment,
): Promise<Credentials> {
  const read = new Map<string, string>()
  const secrets: string[] = []
  for (const [header, source] of Object.entries(headers)) {
    const secret = await readSecret(`services.${name}.headers.${header}`, source, environment)
    secrets.push(secret)
    read.set(header.toLowerCase(), secret)
  }
  if (bearer) {
    const secret = await readSecret(`services.${name}.bearer`, bearer, environment)
    secrets.push(secret)
    read.set("authorization", `Bearer ${secret}`)
  }
  return { headers: read, secrets }
}

async function readSecret(key: string, source: SecretSource, environment: Environment): Promise<string> {
  const text = "env" in source ? environment[source.env] : await fileText(key, source.file)
  const secret = text?.trim() ?? ""
  if (!/^[\x20-\x7e]{1,8192}$/.test(secret))
    throw new ConfigError([`${key}: found no secret, wanted one line of visible ASCII characters`])
  return secret
}

async function fileText(key: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown"
    throw new ConfigError([`${key}: the file cannot be read (${code}), wanted a file with the secret`])
  }
}
