/** What may be written in the configuration; the descriptions feed the documents' table. */
import { z } from "zod"
import { tokenAlgorithms } from "../../shared/oauth/jws.ts"
import { longestTokenSeconds } from "../../shared/oauth/revocation.ts"
import { scopeSchema } from "../core/claims.ts"
import { longestGrantSeconds } from "../core/grant.ts"
import { longestQuoteSeconds } from "../core/pricing.ts"
import { networksSchema } from "./networks.ts"
import { callsSchema, costsSchema, unitValueSchema, valueSchema } from "./units.ts"
import { clientSchema, whitelistSchema } from "./whitelist.ts"

const seconds = (minimum: number, maximum: number) => z.number().int().min(minimum).max(maximum)
const count = (fallback: number) => z.number().int().min(1).max(1_000_000).default(fallback)
const amount = z.string().regex(/^[0-9.]{1,80}$/, 'wanted a decimal string such as "0.01"')
const listen = z.string().regex(/^[^\s:]+:[0-9]{1,5}$|^\[[0-9a-fA-F:]+\]:[0-9]{1,5}$/, "wanted host:port")

export const priceSchema = z.strictObject({
  network: z.string().describe("CAIP-2 id of one of `networks`"),
  asset: z.string().describe("symbol or address of an asset known on the network"),
  amount: amount
    .optional()
    .describe('decimal string of the asset, e.g. `"0.01"`; left out where a function tells it'),
})

export const offerSchema = z.strictObject({
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
  quoteSeconds: seconds(0, longestQuoteSeconds)
    .default(900)
    .describe("how long a replaced offer, or a price that a function told, is honoured"),
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
  payAtRoutes: z
    .boolean()
    .default(false)
    .describe("payments are taken at the business URLs, too, of x402 clients that know nothing else"),
  x402v1: z
    .boolean()
    .default(false)
    .describe("clients of x402 v1 may buy: a v1 body in the 402, payments in `X-PAYMENT`"),
  allowInsecureHttp: z.boolean().default(false).describe("allow an http issuer that is not on loopback"),
  logLevel: z
    .enum(["debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("least severe line that is logged"),
})
