/** The configuration: one schema whose descriptions feed the README's table, read once, with errors that help. */
import { isIP } from "node:net"
import { distance } from "fastest-levenshtein"
import { z } from "zod"
import { AmountError, parseAmount } from "../shared/amount.ts"
import { type Address, parseAddress, sha256, stringToBytes, zeroAddress } from "../shared/evm.ts"
import { tokenAlgorithms } from "../shared/jws.ts"
import { findAsset } from "../shared/network.ts"
import { networks } from "../shared/networks/index.ts"
import { longestTokenSeconds } from "../shared/revocation.ts"
import { type NetworkConfig, networkShape, networksSchema, readNetworks } from "./config-networks.ts"
import { callsSchema, costsSchema, readUnits, unitValueSchema, valueSchema } from "./config-units.ts"
import { clientSchema, memberShape, whitelistSchema } from "./config-whitelist.ts"
import { scopeSchema } from "./core/claims.ts"
import { longestGrantSeconds } from "./core/grant.ts"
import { canonicalContent, type Offer, type OfferContent, type Price } from "./core/offers.ts"
import { nominalValue } from "./core/payment.ts"

const seconds = (minimum: number, maximum: number) => z.number().int().min(minimum).max(maximum)
const count = (fallback: number) => z.number().int().min(1).max(1_000_000).default(fallback)
const amount = z.string().regex(/^[0-9.]{1,80}$/, 'wanted a decimal string such as "0.01"')
const listen = z.string().regex(/^[^\s:]+:[0-9]{1,5}$|^\[[0-9a-fA-F:]+\]:[0-9]{1,5}$/, "wanted host:port")

const priceSchema = z.strictObject({
  network: z.string().describe("CAIP-2 id of one of `networks`"),
  asset: z.string().describe("symbol or address of an asset known on the network"),
  amount: amount.describe('decimal string of the asset, e.g. `"0.01"`'),
})

const offerSchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "wanted letters, digits, - and _"),
  scope: scopeSchema,
  durationSeconds: seconds(1, longestGrantSeconds),
  calls: callsSchema,
  value: valueSchema,
  settle: z.enum(["background", "first"]).default("background"),
  dpop: z.enum(["optional", "required"]).default("optional"),
  prices: z.array(priceSchema).min(1).max(16),
})

export const configSchema = z.strictObject({
  issuer: z
    .string()
    .describe("public URL of the service; http only for loopback or with `allowInsecureHttp`"),
  resource: z
    .string()
    .optional()
    .describe("resource identifier, the audience of tokens; default: the issuer"),
  listen: listen.default("127.0.0.1:8402").describe("where `serve` listens"),
  database: z
    .string()
    .default("sqlite:./data/ticket402.db")
    .describe("`sqlite:FILE`, or `memory:` to try things out"),
  keys: z
    .string()
    .min(1)
    .default("./data/keys")
    .describe("folder of the signing keys; created on first start, for its owner only"),
  keyRotationDays: z.number().int().min(1).max(3650).default(30).describe("age at which a key is replaced"),
  tokenAlgorithm: z
    .enum(tokenAlgorithms)
    .default("ES256")
    .describe("`ES256` or `EdDSA`; a change takes effect with the next rotation"),
  payTo: z.string().describe("cold address the money goes to"),
  relayer: z
    .strictObject({
      privateKeyFile: z
        .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(16)])
        .default("./data/relayer.key")
        .describe(
          "key of the account that pays gas, or a list of up to 16, among which settlements are spread; created if missing",
        ),
    })
    .prefault({}),
  networks: networksSchema.describe(
    "by CAIP-2 id: `rpcUrls`, `confirmations`, `requestsPerSecond`, `nativePrice`, `startBlock` (where new books look for payments of a relayer used before; default: 7 days ago)",
  ),
  offers: z
    .array(offerSchema)
    .min(1)
    .max(64)
    .describe(
      "`id`, `scope`, `durationSeconds`, at will `calls` or `value`, `prices`; `settle`: `background` (the token at once) or `first` (once the money is in); `dpop`: `required` binds its tokens to a key of the buyer",
    ),
  unitValue: unitValueSchema.describe(
    'what a unit is worth in the currency, e.g. `"0.001"`, where an offer sells `value` or a route costs money',
  ),
  costs: costsSchema
    .default({})
    .describe(
      'what a call costs where calls are counted: `{ "POST /movies": 5 }`, or money; 1 unit when not named',
    ),
  whitelist: whitelistSchema
    .default([])
    .describe("who need not pay: `{ address, scope }` or `{ clientId, secretSha256, scope }`"),
  introspection: z
    .array(clientSchema)
    .max(100)
    .default([])
    .describe("services that may ask `/introspect` about tokens: `{ clientId, secretSha256 }`"),
  tokenLifeSeconds: seconds(10, longestTokenSeconds)
    .default(300)
    .describe("life of an access token once the money is in"),
  pendingLifeSeconds: seconds(10, longestTokenSeconds)
    .default(60)
    .describe("life of an access token while settlement is pending"),
  dpopNonces: z
    .boolean()
    .default(true)
    .describe("proofs of possession must hold a nonce of the service, so that none can be made in advance"),
  maxTimeoutSeconds: seconds(120, 3600).default(600).describe("for how long a payment is asked to be valid"),
  quoteSeconds: seconds(0, 86_400).default(900).describe("how long a replaced offer is honoured"),
  limits: z
    .strictObject({
      queue: count(10_000).describe("payments that may wait for settlement"),
      perPayment: amount
        .default("0.10")
        .describe("dearest payment that gets its token before the money, in the currency of the assets"),
      perPayer: amount.default("1").describe("unsettled value per payer"),
      newPayer: count(1).describe("unsettled payments of a payer of whom none has settled yet"),
      total: amount.default("50").describe("unsettled value in total"),
      dailyLoss: amount.default("5").describe("failed value in 24 hours at which the loss breaker opens"),
      agreementAbove: amount
        .optional()
        .describe('value above which two nodes must say the same of a payment; `"10"` where there are two'),
      requestsPerPeer: count(1000).describe(
        "requests to `/token` per 10 s and peer: an IPv4 address, or a /64 of IPv6",
      ),
      requestsPerPayer: count(100).describe("signed payments per 10 s and payer"),
      requestsPerToken: count(1000).describe("requests let through per 10 s and token, by each process"),
      connections: count(10_000).describe("connections that `serve` holds open at once"),
    })
    .prefault({}),
  cors: z
    .array(z.string())
    .max(64)
    .default([])
    .describe("origins whose pages may call the service, each exactly as a browser sends it"),
  trustProxy: z
    .array(z.string())
    .max(64)
    .default([])
    .describe("addresses and CIDR blocks of reverse proxies whose `X-Forwarded-For` names the peer"),
  allowInsecureHttp: z.boolean().default(false).describe("allow an http issuer that is not on loopback"),
  logLevel: z
    .enum(["debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("least severe line that is logged"),
})

/** Limits in the currency of the assets; inside they are millionths. */
const moneyLimits = ["perPayment", "perPayer", "total", "dailyLoss", "agreementAbove"] as const
/** Not the schema's default, because written down it asks for two nodes everywhere. */
const agreementAboveDefault = "10"

/** What a person writes. */
export type ConfigInput = z.input<typeof configSchema>

/** What the service works with: canonical, complete, checked. */
export type Config = Omit<
  z.output<typeof configSchema>,
  "offers" | "costs" | "unitValue" | "limits" | "payTo" | "resource" | "networks"
> & {
  readonly networks: Readonly<Record<string, NetworkConfig>>
  readonly resource: string
  readonly payTo: Address
  readonly offers: readonly Offer[]
  /** Units by route, such as `POST /movies`. */
  readonly costs: Readonly<Record<string, number>>
  /** In millionths of the currency. */
  readonly limits: Omit<z.output<typeof configSchema>["limits"], MoneyLimit> & Record<MoneyLimit, bigint>
}

type MoneyLimit = (typeof moneyLimits)[number]

/** Everything wrong with a configuration, one line each: the key, what was found, what is wanted. */
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
  if (!parsed.success) throw new ConfigError(parsed.error.issues.flatMap((issue) => explain(issue, input)))
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
  const issuer = check("issuer", () => wantIdentifier(raw.issuer, raw.allowInsecureHttp))
  const resource = check("resource", () => wantIdentifier(raw.resource ?? raw.issuer, raw.allowInsecureHttp))
  const payTo = check("payTo", () => wantAddress(raw.payTo))
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
  const offers = raw.offers.map((offer, index) =>
    check(`offers.${index}`, () =>
      readOffer(offer, {
        ...raw,
        payTo: payTo ?? zeroAddress,
        perPayment: money.perPayment,
        units: units.sold[index] ?? null,
      }),
    ),
  )
  for (const origin of raw.cors) check("cors", () => wantOrigin(origin))
  for (const block of raw.trustProxy) check("trustProxy", () => wantBlock(block))
  const ids = raw.offers.map((offer) => offer.id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) problems.push(`offers: found the id ${show(twice)} twice, wanted each once`)
  if (problems.length > 0) throw new ConfigError(problems)
  return {
    ...raw,
    networks: connected.networks,
    issuer: issuer ?? "",
    resource: resource ?? "",
    payTo: payTo ?? zeroAddress,
    costs: units.costs,
    offers: offers.filter((offer) => offer !== undefined),
    limits: { ...raw.limits, ...money },
  }
}

class WrongValue extends Error {}

/** An issuer or resource identifier: compared byte for byte, so only its one normal spelling is taken. */
function wantIdentifier(text: string, allowInsecureHttp: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:"))
    throw new WrongValue(`found ${show(text)}, wanted an http(s) URL`)
  if (url.search || url.hash || url.username || url.password)
    throw new WrongValue(`found ${show(text)}, wanted no query, fragment or credentials`)
  const normal = url.pathname === "/" ? url.origin : `${url.origin}${url.pathname}`
  if (text !== normal || normal.endsWith("/"))
    throw new WrongValue(`found ${show(text)}, wanted ${show(normal.replace(/\/+$/, ""))}`)
  if (url.protocol === "http:" && !allowInsecureHttp && !isLoopback(url.hostname))
    throw new WrongValue(`found http on ${url.hostname}, wanted https (or "allowInsecureHttp": true)`)
  return text
}

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127(?:\.[0-9]{1,3}){3}$/.test(hostname)

/** Compared byte for byte with what browsers send, so only that spelling is taken; never `*` or `null`. */
function wantOrigin(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || url.origin !== text || !/^https?:$/.test(url.protocol))
    throw new WrongValue(`found ${show(text)}, wanted an origin such as "https://app.example.com"`)
}

/** A block of all addresses would let everybody choose the address he is counted by. */
function wantBlock(text: string): void {
  const [address = "", prefix, ...more] = text.split("/")
  const bits = isIP(address) === 6 ? 128 : 32
  const good = prefix === undefined || (/^[1-9][0-9]{0,2}$/.test(prefix) && Number(prefix) <= bits)
  if (isIP(address) === 0 || !good || more.length > 0)
    throw new WrongValue(`found ${show(text)}, wanted an address or a CIDR block such as "10.0.0.0/8"`)
}

function wantAddress(text: string): Address {
  const address = parseAddress(text)
  if (!address || address === zeroAddress)
    throw new WrongValue(`found ${show(text)}, wanted an address of 20 bytes in hex with a right checksum`)
  return address
}

type OfferContext = {
  payTo: Address
  maxTimeoutSeconds: number
  networks: Record<string, unknown>
  perPayment: bigint
  units: number | null
}

function readOffer(raw: z.output<typeof offerSchema>, context: OfferContext): Offer {
  const prices = raw.prices.map((price) => readPrice(price, context))
  const content: OfferContent = {
    id: raw.id,
    scope: raw.scope,
    durationSeconds: raw.durationSeconds,
    units: context.units,
    value: raw.value ?? null,
    // Nobody is told of a token at once that the limit would never let him have.
    settle: prices.some((price) => isDear(price, context.perPayment)) ? "first" : raw.settle,
    dpop: raw.dpop,
    prices,
  }
  return { ...content, ref: `${raw.id}@${sha256(stringToBytes(canonicalContent(content))).slice(2, 10)}` }
}

function isDear({ network, asset, amount: units }: Price, perPayment: bigint): boolean {
  const info = networks.get(network)
  const known = info && findAsset(info, asset)
  return known !== undefined && nominalValue(units, known) > perPayment
}

function readPrice(raw: z.output<typeof priceSchema>, context: OfferContext): Price {
  const network = networks.get(raw.network)
  if (!network || !(raw.network in context.networks))
    throw new WrongValue(`prices: found the network ${show(raw.network)}, wanted one of "networks"`)
  const asset = findAsset(network, raw.asset)
  if (!asset)
    throw new WrongValue(
      `prices: found the asset ${show(raw.asset)}, wanted ${network.assets.map((each) => each.symbol).join(" or ")}`,
    )
  const units = parseAmount(raw.amount, asset.decimals)
  if (units === 0n)
    throw new WrongValue("prices: found a price of 0; nothing is given away by a slip of the pen")
  return {
    network: network.id,
    scheme: "exact",
    asset: wantAddress(asset.address),
    amount: units,
    payTo: context.payTo,
    maxTimeoutSeconds: context.maxTimeoutSeconds,
  }
}

/** One line per problem of the schema, with the nearest known name for an unknown key. */
function explain(issue: z.core.$ZodIssue, input: unknown): string[] {
  const path = issue.path.map(String).join(".")
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => {
      const nearest = nearestKey(key)
      return `${path ? `${path}.` : ""}${key}: unknown key${nearest ? `, did you mean ${show(nearest)}?` : ""}`
    })
  const found = issue.path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    input,
  )
  // Whoever writes the secret itself in place of its hash must not find it in the log.
  const shown = issue.path.at(-1) === "secretSha256" ? hide(found) : show(found)
  return [`${path}: found ${shown}, ${issue.message.replace(/^Invalid input: expected/, "wanted")}`]
}

const knownKeys = [
  configSchema,
  configSchema.shape.relayer.unwrap(),
  configSchema.shape.limits.unwrap(),
  offerSchema,
  priceSchema,
  networkShape,
  memberShape,
].flatMap((schema) => Object.keys(schema.shape))

function nearestKey(key: string): string | undefined {
  const [best] = knownKeys
    .map((known) => ({ known, steps: distance(known.toLowerCase(), key.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps)
  return best && best.steps <= Math.max(2, key.length / 3) ? best.known : undefined
}

const hide = (value: unknown): string =>
  typeof value === "string" ? `${value.length} characters` : show(value)

/** What an embedder hands over may be no JSON at all, such as a bigint. */
function show(value: unknown): string {
  if (value === undefined) return "nothing"
  try {
    return (JSON.stringify(value) ?? typeof value).slice(0, 80)
  } catch {
    return typeof value
  }
}
