/** `whitelist add|remove|list`: changes who is let in without paying, while the service runs on the same store. */
import { createHash, randomBytes } from "node:crypto"
import { type Config, ConfigError, parseConfig } from "./config.ts"
import { configExit, mendableProblems, readConfig } from "./config-file.ts"
import { memberSchema } from "./config-whitelist.ts"
import type { WhitelistEntry, WhitelistMember } from "./core/whitelist.ts"
import { type Store, StoreUnavailable } from "./ports.ts"
import { openStore } from "./stores/index.ts"

export type WhitelistOptions = {
  readonly config: string
  readonly address?: string
  readonly clientId?: string
  readonly scope?: string
  readonly secretSha256?: string
}

export type WhitelistIo = {
  readonly environment: Record<string, string | undefined>
  /** Lines of the answer. */
  print(line: string): void
  /** Lines for the person at the terminal. */
  warn(line: string): void
}

type Task = (store: Store, config: Config, options: WhitelistOptions, io: WhitelistIo) => Promise<void>

const tasks = { add, remove, list } satisfies Record<string, Task>

/** Resolves with the exit code. A change is on disk when it does, and a running service heeds it within 5 s. */
export async function whitelist(
  task: keyof typeof tasks,
  options: WhitelistOptions,
  io: WhitelistIo,
): Promise<number> {
  try {
    const config = parseConfig(await readConfig(options.config), io.environment)
    if (config.database.startsWith("memory:"))
      throw new ConfigError([
        'database: found "memory:", wanted a file that this command and the service share',
      ])
    const store = await openStore(config.database)
    try {
      await tasks[task](store, config, options, io)
    } finally {
      await store.close()
    }
    return 0
  } catch (error) {
    const problems = error instanceof StoreUnavailable ? [error.message] : mendableProblems(error)
    if (!problems) throw error
    for (const problem of problems) io.warn(`${options.config}: ${problem}`)
    return error instanceof StoreUnavailable ? 1 : configExit
  }
}

async function add(store: Store, config: Config, options: WhitelistOptions, io: WhitelistIo): Promise<void> {
  const configured = config.whitelist.find((member) => member.id === idOf(options))
  const secret = needsSecret(options, configured) ? randomBytes(32).toString("base64url") : undefined
  const member = configured ? readConfigured(options, configured) : readMember(options, secret)
  const { changed } = await store.addToWhitelist({ member, now: nowSeconds() })
  if (!changed) io.warn("nothing changed: it was on the whitelist like that already")
  // Printed once and kept nowhere: the store has its hash only.
  print(io, { ...named(member), scope: member.scope, ...(secret !== undefined && { clientSecret: secret }) })
}

async function remove(
  store: Store,
  config: Config,
  options: WhitelistOptions,
  io: WhitelistIo,
): Promise<void> {
  const id = idOf(options)
  const { changed } = await store.removeFromWhitelist({ id, now: nowSeconds() })
  if (!changed) throw new ConfigError([`${id} is not on the whitelist`])
  if (config.whitelist.some((member) => member.id === id))
    io.warn(`${id} is in the configuration; it stays out, restarts included, until \`whitelist add\``)
  print(io, { removed: id })
}

async function list(
  store: Store,
  _config: Config,
  _options: WhitelistOptions,
  io: WhitelistIo,
): Promise<void> {
  // Version -1 is never the present one.
  const news = await store.whitelist({ version: -1 })
  for (const entry of news?.entries ?? [])
    print(io, { ...named(entry), scope: entry.scope, by: entry.by, since: entry.listedAt })
}

/** The id the options name, in the one spelling of the list. Throws a {@link ConfigError}. */
const idOf = ({ address, clientId }: WhitelistOptions): string =>
  parse({ address, clientId, ...(clientId !== undefined && { secretSha256: anyHash }), scope: "any" }).id

/** Stands for a hash where only the id matters. */
const anyHash = "0123456789abcdef".repeat(4)

const needsSecret = (options: WhitelistOptions, configured: WhitelistMember | undefined): boolean =>
  !configured && options.clientId !== undefined && options.secretSha256 === undefined

const readMember = (options: WhitelistOptions, secret: string | undefined): WhitelistMember => {
  const { address, clientId, scope, secretSha256 } = options
  const hash = secret === undefined ? secretSha256 : createHash("sha256").update(secret).digest("hex")
  return parse({ address, clientId, scope, secretSha256: hash })
}

/** What the configuration says of an entry is changed there; here it only comes back after a removal. */
function readConfigured(options: WhitelistOptions, configured: WhitelistMember): WhitelistMember {
  const { scope = configured.scope, secretSha256 = configured.secretSha256 } = options
  if (scope !== configured.scope || secretSha256 !== configured.secretSha256)
    throw new ConfigError([`${configured.id} is in the configuration with other terms; change them there`])
  return configured
}

function parse(raw: Record<string, string | undefined>): WhitelistMember {
  const given = Object.entries(raw).filter(([, value]) => value !== undefined)
  const parsed = memberSchema.safeParse(Object.fromEntries(given))
  if (parsed.success) return parsed.data
  throw new ConfigError(
    parsed.error.issues.map(
      ({ path, message }) => `${flagOf(path)}: ${message.replace(/^Invalid input: expected/, "wanted")}`,
    ),
  )
}

const flags: Readonly<Record<string, string>> = { clientId: "client-id", secretSha256: "secret-sha256" }

const flagOf = ([key = ""]: readonly PropertyKey[]): string => `--${flags[String(key)] ?? String(key)}`

const named = (member: WhitelistMember | WhitelistEntry) =>
  member.secretSha256 === null ? { address: member.id } : { clientId: member.id }

const print = (io: WhitelistIo, answer: object): void => io.print(JSON.stringify(answer))

const nowSeconds = (): number => Math.floor(Date.now() / 1000)
