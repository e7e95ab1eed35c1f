/** The configuration: read once, canonical, with errors that help. */
import type { z } from "zod"
import { AmountError, parseAmount } from "../../shared/values/amount.ts"
import { type Address, zeroAddress } from "../../shared/values/evm.ts"
import type { Offer } from "../core/offers.ts"
import type { ProxiedService } from "../core/proxied-services.ts"
import { requireAdmin } from "./admin.ts"
import { explain } from "./explain.ts"
import { type NetworkConfig, readNetworks } from "./networks.ts"
import { readGeneratedOffer, readOffer } from "./offers.ts"
import { configSchema } from "./schema.ts"
import { readService, unsoldScopes } from "./services.ts"
import { show } from "./show.ts"
import { readUnits } from "./units.ts"
import { requireBlock, requireIdentifier, requireOrigin, requirePayTo, WrongValue } from "./values.ts"

/** Limits in the currency of the assets; inside they are millionths. */
const moneyLimits = ["perPayment", "perPayer", "total", "dailyLoss", "agreementAbove"] as const
/** Not the schema's default, because written down it asks for two nodes everywhere. */
const agreementAboveDefault = "10"

/** The configuration as a person writes it. */
export type ConfigInput = z.input<typeof configSchema>

/** The configuration in its canonical, complete and checked form. */
export type Config = Omit<
  z.output<typeof configSchema>,
  "offers" | "services" | "costs" | "unitValue" | "limits" | "payTo" | "resource" | "networks"
> & {
  readonly networks: Readonly<Record<string, NetworkConfig>>
  readonly resource: string
  /** Every audience for which tokens are sold, `resource` first. */
  readonly resources: readonly string[]
  readonly payTo: Address
  /** Those of proxied routes included. */
  readonly offers: readonly Offer[]
  readonly services: readonly ProxiedService[]
  /** Units by route, such as `POST /movies`. */
  readonly costs: Readonly<Record<string, number>>
  /** In millionths of the currency. */
  readonly limits: Omit<z.output<typeof configSchema>["limits"], MoneyLimit> & Record<MoneyLimit, bigint>
}

type MoneyLimit = (typeof moneyLimits)[number]

/** Lists every problem of a configuration, one line each: the key, the value found, the value wanted. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join("\n"))
    this.name = "ConfigError"
    this.problems = problems
  }
}

/** Scalars that may come from the environment, e.g. `TICKET402_ISSUER`. */
const fromEnvironment = {
  TICKET402_ISSUER: "issuer",
  TICKET402_RESOURCE: "resource",
  TICKET402_LISTEN: "listen",
  TICKET402_DATABASE: "database",
  TICKET402_DATABASE_PASSWORD_FILE: "databasePasswordFile",
  TICKET402_KEYS: "keys",
  TICKET402_PAY_TO: "payTo",
  TICKET402_LOG_LEVEL: "logLevel",
} as const

/** Throws {@link ConfigError}. */
export function parseConfig(input: unknown, environment: Record<string, string | undefined> = {}): Config {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw new ConfigError(["wanted a JSON object"])
  const overrides = Object.entries(fromEnvironment).flatMap(([variable, key]) => {
    const value = environment[variable]
    return value === undefined ? [] : [[key, value]]
  })
  const parsed = configSchema.safeParse({ ...input, ...Object.fromEntries(overrides) })
  // A value of the wrong type fails several checks with one message.
  if (!parsed.success)
    throw new ConfigError([...new Set(parsed.error.issues.flatMap((issue) => explain(issue, input)))])
  return complete(parsed.data)
}

function complete(raw: z.output<typeof configSchema>): Config {
  const problems: string[] = []
  const check = <T>(key: string, read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof WrongValue || error instanceof AmountError)) throw error
      problems.push(`${key}: ${error.message}`)
      return undefined
    }
  }
  const issuer = check("issuer", () => requireIdentifier(raw.issuer, raw.allowInsecureHttp))
  const resource = check("resource", () =>
    requireIdentifier(raw.resource ?? raw.issuer, raw.allowInsecureHttp),
  )
  for (const [index, each] of raw.resources.entries())
    check(`resources.${index}`, () => requireIdentifier(each, raw.allowInsecureHttp))
  const payTo = check("payTo", () => requirePayTo(raw.payTo))
  const connected = readNetworks(raw.networks)
  problems.push(...connected.problems)
  const alone = Object.keys(raw.networks).filter((id) => raw.networks[id]?.rpcUrls.length === 1)
  if (raw.limits.agreementAbove !== undefined)
    for (const id of alone)
      problems.push(`networks.${id}.rpcUrls: found one, wanted two that can agree (limits.agreementAbove)`)
  const units = readUnits(raw)
  problems.push(...units.problems)
  const money = Object.fromEntries(
    moneyLimits.map((name) => {
      const text = raw.limits[name] ?? agreementAboveDefault
      return [name, check(`limits.${name}`, () => parseAmount(text, 6)) ?? 0n]
    }),
  ) as Record<MoneyLimit, bigint>
  const terms = {
    ...raw,
    networks: connected.networks,
    payTo: payTo ?? zeroAddress,
    perPayment: money.perPayment,
  }
  const listed = raw.offers.map((offer, index) =>
    check(`offers.${index}`, () => readOffer(offer, { ...terms, units: units.sold[index] ?? null })),
  )
  const proxied = Object.entries(raw.services).map(([name, service]) =>
    check(`services.${name}`, () => {
      const read = readService(name, service)
      return { ...read, offers: read.offers.map((offer) => readGeneratedOffer(offer, terms)) }
    }),
  )
  const services = proxied.flatMap((each) => (each ? [each.service] : []))
  const generated = proxied.flatMap((each) => each?.offers ?? [])
  const offers = [...listed, ...generated]
  if (offers.length === 0) problems.push("offers: found none, wanted at least one, or a service that sells")
  problems.push(...unsoldScopes(services, [...raw.whitelist, ...raw.offers, ...generated]))
  if (raw.keyEncryptionKeyFile !== undefined && raw.keys !== "database")
    problems.push(`keyEncryptionKeyFile: found one beside a folder of keys, wanted "keys": "database"`)
  check("admin", () => requireAdmin(raw.admin, raw.allowInsecureHttp))
  for (const origin of raw.cors) check("cors", () => requireOrigin(origin))
  for (const block of raw.trustProxy) check("trustProxy", () => requireBlock(block))
  const ids = offers.flatMap((offer) => (offer ? [offer.id] : []))
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) problems.push(`offers: found the id ${show(twice)} twice, wanted each once`)
  if (problems.length > 0) throw new ConfigError(problems)
  return {
    ...raw,
    networks: connected.networks,
    issuer: issuer ?? "",
    resource: resource ?? "",
    resources: [...new Set([resource ?? "", ...raw.resources])],
    payTo: payTo ?? zeroAddress,
    services,
    costs: units.costs,
    offers: offers.filter((offer) => offer !== undefined),
    limits: { ...raw.limits, ...money },
  }
}
