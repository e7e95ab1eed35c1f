/** Defines the keys of the configuration; their descriptions make the table in docs/operating.md. */
import { z } from "zod"
import { tokenAlgorithms } from "../../shared/oauth/jws.ts"
import { longestTokenSeconds } from "../../shared/oauth/revocation.ts"
import { scopeSchema } from "../core/claims.ts"
import { longestGrantSeconds } from "../core/grant.ts"
import { longestQuoteSeconds } from "../core/pricing.ts"
import { adminHostSchema, adminTokenSchema } from "./admin.ts"
import { networksSchema } from "./networks.ts"
import { servicesSchema } from "./services-schema.ts"
import { callsSchema, costsSchema, unitValueSchema, valueSchema } from "./units.ts"
import { clientSchema, whitelistSchema } from "./whitelist.ts"

const seconds = (minimum: number, maximum: number) => z.number().int().min(minimum).max(maximum)
const count = (fallback: number) => z.number().int().min(1).max(1_000_000).default(fallback)
const amount = z.string().regex(/^[0-9.]{1,80}$/, 'wanted a decimal string such as "0.01"')
/** A name of a header or method (RFC 9110 §5.6.2). To browsers a `*` would mean every name. */
const token = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'+.^_`|~-]{1,64}$/, 'wanted one name such as "X-Total", and no "*"')
const listen = z
  .string()
  .regex(/^[^\s:]+:[0-9]{1,5}$|^\[[0-9a-fA-F:]+\]:[0-9]{1,5}$/, "wanted host:port")
  .refine((address) => Number(/[0-9]+$/.exec(address)?.[0] ?? 0) <= 65_535, "wanted a port of at most 65535")

export const priceSchema = z.strictObject({
  network: z.string().describe("one of `networks`, by name or CAIP-2 id"),
  asset: z.string().describe("symbol or address of an asset of that network"),
  amount: amount
    .optional()
    .describe('decimal string of the asset, e.g. `"0.01"`; absent where a function returns the price'),
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
  issuer: z.string().describe("public URL of the service; http only on loopback or with `allowInsecureHttp`"),
  resource: z
    .string()
    .optional()
    .describe("resource identifier, which is the audience of tokens; default: the issuer"),
  resources: z
    .array(z.string())
    .max(64)
    .default([])
    .describe(
      "other services that check tokens of this issuer with `createVerifier`, by their resource identifiers",
    ),
  listen: listen.default("127.0.0.1:8402").describe("address and port on which `serve` listens"),
  database: z
    .string()
    .default("sqlite:./data/ticket402.db")
    .describe(
      "`sqlite:FILE`, `postgres://USER@HOST/DATABASE`, or `memory:` for a trial that a restart forgets",
    ),
  databasePasswordFile: z
    .string()
    .min(1)
    .optional()
    .describe("file with the password for PostgreSQL; default: `PGPASSWORD` of the environment"),
  databaseConnections: z
    .number()
    .int()
    .min(2)
    .max(100)
    .default(8)
    .describe("connections to PostgreSQL at most, for each process"),
  keys: z
    .string()
    .min(1)
    .default("./data/keys")
    .describe(
      'folder of the signing keys, created at the first start, readable by its owner only; or `"database"`, where they are encrypted',
    ),
  keyEncryptionKeyFile: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(4)])
    .optional()
    .describe(
      "file with the key that encrypts keys in the database, 32 bytes in hex; of a list, the first encrypts and all decrypt; default: `TICKET402_KEY_ENCRYPTION_KEY` of the environment",
    ),
  keyRotationDays: z
    .number()
    .int()
    .min(1)
    .max(3650)
    .default(30)
    .describe("age in days at which a key is replaced"),
  tokenAlgorithm: z
    .enum(tokenAlgorithms)
    .default("ES256")
    .describe("`ES256` or `EdDSA`; a change takes effect with the next rotation"),
  payTo: z.string().describe("address that receives the money; its key stays off the server"),
  relayer: z
    .strictObject({
      privateKeyFile: z
        .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(16)])
        .default("./data/relayer.key")
        .describe(
          "file with the key of the account that pays gas, created if missing; a list of up to 16 files spreads settlements over them",
        ),
    })
    .prefault({}),
  networks: networksSchema.describe(
    "by name (`ethereum`, `sepolia`, `base`, `base-sepolia`) or CAIP-2 id: `rpcUrls`, `confirmations`, `requestsPerSecond`, `nativePrice`, `logBlocks` (longest range of blocks in one request for logs, 5000 by default), and `startBlock`, from which new books look for payments that the relayer settled before (default: 7 days ago)",
  ),
  offers: z
    .array(offerSchema)
    .max(64)
    .describe(
      "`id`, `scope`, `durationSeconds`, `prices`, optionally `calls` or `value`; `settle`: `background` (token at once) or `first` (token after the payment is confirmed); `dpop`: `required` binds the tokens to a key of the buyer",
    ),
  services: servicesSchema
    .default({})
    .describe(
      "upstreams that `serve` and `createProxy` sell access to, by name: `baseUrl`, `routes`, credentials; see [proxy](proxy.md)",
    ),
  unitValue: unitValueSchema.describe(
    'value of a unit in the currency, e.g. `"0.001"`; needed where an offer sells `value` or a route costs money',
  ),
  costs: costsSchema
    .default({})
    .describe(
      'cost of a call for counted offers, by route: `{ "POST /movies": 5 }`, or money; 1 unit by default',
    ),
  whitelist: whitelistSchema
    .default([])
    .describe("callers that need not pay: `{ address, scope }` or `{ clientId, secretSha256, scope }`"),
  introspection: z
    .array(clientSchema)
    .max(100)
    .default([])
    .describe("services that may call `/introspect`: `{ clientId, secretSha256 }`"),
  admin: z
    .strictObject({
      listen: listen
        .optional()
        .describe(
          "address and port of the [admin address](admin.md) of `serve`, e.g. `127.0.0.1:8403`; off without it",
        ),
      tokens: z
        .array(adminTokenSchema)
        .max(64)
        .default([])
        .describe(
          "`{ name, file, role }` of each token; role `read`, `operate` or `refund`; missing files are created at the first start",
        ),
      hosts: z
        .array(adminHostSchema)
        .max(64)
        .default([])
        .describe("values of `Host` that the admin address accepts besides loopback"),
    })
    .prefault({}),
  tokenLifeSeconds: seconds(10, longestTokenSeconds)
    .default(300)
    .describe("life of an access token after settlement"),
  pendingLifeSeconds: seconds(10, longestTokenSeconds)
    .default(60)
    .describe("life of an access token while settlement is pending"),
  keepAliveSeconds: seconds(1, 3600)
    .default(65)
    .describe(
      "how long `serve` keeps an idle connection; longer than the balancer in front keeps it, or that sends into a closed one",
    ),
  dpopNonces: z
    .boolean()
    .default(true)
    .describe("DPoP proofs must contain a nonce of the service, so that no proof can be made in advance"),
  maxTimeoutSeconds: seconds(120, 3600).default(600).describe("seconds for which a payment must be valid"),
  quoteSeconds: seconds(0, longestQuoteSeconds)
    .default(900)
    .describe("seconds for which a replaced offer, or a price from a function, is honoured"),
  limits: z
    .strictObject({
      queue: count(10_000).describe("number of payments that may wait for settlement"),
      perPayment: amount
        .default("0.10")
        .describe("highest price that is sold before settlement, in the currency of the assets"),
      perPayer: amount.default("1").describe("highest unsettled value of a payer"),
      newPayer: count(1).describe("unsettled payments of a payer without a settled one"),
      total: amount.default("50").describe("highest unsettled value of all payers"),
      dailyLoss: amount.default("5").describe("failed value of 24 hours at which the loss breaker opens"),
      failedGas: z
        .number()
        .int()
        .min(1)
        .max(1_000_000_000)
        .default(3_000_000)
        .describe(
          "gas per hour that failed settlements may cost; above it, payers with code that never paid are refused, and one code has a third of it",
        ),
      agreementAbove: amount
        .optional()
        .describe(
          'value of a payment above which two nodes must agree; default: `"10"` on networks with two nodes',
        ),
      requestsPerPeer: count(1000).describe(
        "requests to `/token` per 10 s and peer: an IPv4 address, or a /64 of IPv6",
      ),
      requestsPerPayer: count(100).describe("signed payments per 10 s and payer"),
      requestsPerToken: count(1000).describe(
        "requests per 10 s and token, and proofs at `/token` per DPoP key, in each process",
      ),
      connections: count(10_000).describe("connections that `serve` keeps open at once"),
    })
    .prefault({}),
  cors: z
    .array(z.string())
    .max(64)
    .default([])
    .describe("origins whose pages may call the service, spelt as a browser sends them"),
  corsLists: z
    .strictObject({
      methods: z
        .array(token)
        .min(1)
        .max(32)
        .default(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .describe("methods that those pages may use"),
      allowHeaders: z
        .array(token)
        .max(32)
        .default([])
        .describe("headers of your own that those pages may send, beside the ones that a purchase needs"),
      exposeHeaders: z
        .array(token)
        .max(32)
        .default([])
        .describe("headers of your own that those pages may read, beside the ones that a purchase needs"),
    })
    .prefault({}),
  trustProxy: z
    .array(z.string())
    .max(64)
    .default([])
    .describe("addresses and CIDR blocks of reverse proxies whose `X-Forwarded-For` names the peer"),
  payAtRoutes: z
    .boolean()
    .default(false)
    .describe("accept x402 payments at the gated routes too, for clients that know nothing else"),
  x402v1: z
    .boolean()
    .default(false)
    .describe("serve clients of x402 v1: a v1 body in the 402, payments in `X-PAYMENT`"),
  allowInsecureHttp: z.boolean().default(false).describe("allow an http issuer outside loopback"),
  logLevel: z
    .enum(["debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("lowest severity that is logged"),
})
