/** `whitelist add|remove|list`: changes the callers that need not pay, while the service runs. */
import { createHash, randomBytes } from "node:crypto"
import { suggestName } from "../../shared/values/option-names.ts"
import { type Config, ConfigError } from "../config/config.ts"
import { memberSchema } from "../config/whitelist.ts"
import { scopesOf } from "../core/offers.ts"
import type { WhitelistEntry, WhitelistMember } from "../core/whitelist.ts"
import type { Store } from "../ports/store.ts"
import { type CommandIo, nowSeconds, onStore, printJson } from "./with-store.ts"

export type WhitelistOptions = {
  readonly config: string
  readonly address?: string
  readonly clientId?: string
  readonly scope?: string
  readonly secretSha256?: string
}

type Task = (store: Store, config: Config, options: WhitelistOptions, io: CommandIo) => Promise<void>

const tasks = { add, remove, list } satisfies Record<string, Task>

/** Resolves with the exit code after the change is on disk. A running service applies it within 5 s. */
export const whitelist = (
  task: keyof typeof tasks,
  options: WhitelistOptions,
  io: CommandIo,
): Promise<number> =>
  onStore(options.config, io, (config) => (store) => tasks[task](store, config, options, io))

async function add(store: Store, config: Config, options: WhitelistOptions, io: CommandIo): Promise<void> {
  const configured = config.whitelist.find((member) => member.id === idOf(options))
  const secret = needsSecret(options, configured) ? randomBytes(32).toString("base64url") : undefined
  const member = configured ? readConfigured(options, configured) : readMember(options, secret)
  requireKnownScopes(member, config)
  const { changed } = await store.addToWhitelist({ member, now: nowSeconds() })
  if (!changed) io.warn("nothing changed: it was on the whitelist like that already")
  // Printed once and kept nowhere: the store has its hash only.
  printJson(io, {
    ...named(member),
    scope: member.scope,
    ...(secret !== undefined && { clientSecret: secret }),
  })
}

async function remove(store: Store, config: Config, options: WhitelistOptions, io: CommandIo): Promise<void> {
  const id = idOf(options)
  const { changed } = await store.removeFromWhitelist({ id, now: nowSeconds() })
  if (!changed) throw new ConfigError([`${id} is not on the whitelist`])
  if (config.whitelist.some((member) => member.id === id))
    io.warn(`${id} is in the configuration; it stays out, restarts included, until \`whitelist add\``)
  printJson(io, { removed: id })
}

async function list(store: Store, _config: Config, _options: WhitelistOptions, io: CommandIo): Promise<void> {
  // Version -1 is never the present one.
  const news = await store.whitelist({ version: -1 })
  for (const entry of news?.entries ?? [])
    printJson(io, { ...named(entry), scope: entry.scope, by: entry.by, since: entry.listedAt })
}

/** The id the options name, in the one spelling of the list. Throws a {@link ConfigError}. */
const idOf = ({ address, clientId }: WhitelistOptions): string =>
  parse({ address, clientId, ...(clientId !== undefined && { secretSha256: anyHash }), scope: "any" }).id

/** A placeholder hash for checks of the id alone. */
const anyHash = "0123456789abcdef".repeat(4)

const needsSecret = (options: WhitelistOptions, configured: WhitelistMember | undefined): boolean =>
  !configured && options.clientId !== undefined && options.secretSha256 === undefined

const readMember = (options: WhitelistOptions, secret: string | undefined): WhitelistMember => {
  const { address, clientId, scope, secretSha256 } = options
  const hash = secret === undefined ? secretSha256 : createHash("sha256").update(secret).digest("hex")
  return parse({ address, clientId, scope, secretSha256: hash })
}

/** Throws a {@link ConfigError} for a misspelt scope, which would open no route. */
function requireKnownScopes({ scope }: WhitelistMember, { offers, whitelist }: Config): void {
  const known = scopesOf([...offers, ...whitelist])
  const problems = scope
    .split(" ")
    .filter((name) => !known.includes(name))
    .map(
      (name) =>
        `--scope: found ${JSON.stringify(name)}, wanted one that an offer or the whitelist names${suggestName(name, known)}`,
    )
  if (problems.length > 0) throw new ConfigError(problems)
}

/** Reads an entry of the configuration, which `add` can only restore after a removal. Changes belong in the file. */
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
