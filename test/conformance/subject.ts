/** The service under test: its documents, its endpoints, and the ways to obtain its tokens. */
import { decodeJwt } from "jose"
import { dpopHeader } from "../../shared/oauth/dpop.ts"
import {
  clientCredentialsGrantType,
  refreshGrantType,
  secretHeader,
  wellKnown,
} from "../../shared/oauth/messages.ts"
import { parseAmount } from "../../shared/values/amount.ts"
import {
  type AccessTokenInfo,
  accessTokenExtension,
  type PaymentRequirements,
  paymentRequiredSchema,
  requirementsSchema,
} from "../../shared/x402/messages.ts"
import { createProofKey, type ProofKey } from "../support/proofs.ts"
import { preparePurchase } from "../support/service.ts"
import type { Access, Bound, Credentials, Payer, Sale } from "./access.ts"
import { withNonce } from "./dpop-request.ts"
import type { ServiceKey } from "./forgery.ts"
import { type Answer, type Fields, form, type RequestParts, send, withHeaders } from "./http.ts"
import { Deviation, NotRun, requireStatus, requireThat } from "./outcomes.ts"

export type Subject = ReturnType<typeof createSubject>

/** Seconds of life below which a token is refreshed before its use. */
const shortLife = 20
/** Seconds that a payment may wait for the payment before it. */
const longestSaleSeconds = 60
const seconds = (): number => Math.floor(Date.now() / 1000)
const basic = ({ id, secret }: Credentials): Fields => [
  [
    "authorization",
    `Basic ${Buffer.from([id, secret].map(encodeURIComponent).join(":")).toString("base64")}`,
  ],
]

export function createSubject(access: Access) {
  const issuer = access.url.replace(/\/$/, "")
  const { origin } = new URL(issuer)
  const once = memory()

  const document = (url: string) =>
    once(url, async () => {
      const answer = await send(url)
      requireStatus(`GET ${new URL(url).pathname}`, answer, 200)
      return answer.body
    })
  const metadata = () => document(wellKnown(issuer, "oauth-authorization-server"))

  /** An address in the metadata. */
  async function endpoint(name: string): Promise<string> {
    const url = (await metadata())[name]
    if (url === undefined) throw new NotRun(`the service has no ${name}`)
    requireThat(typeof url === "string" && URL.canParse(url), `${name}: found no URL, wanted one`)
    return url
  }

  const route = (): string => {
    if (access.route === undefined) throw new NotRun("needs a gated route (--route)")
    return `${origin}${access.route}`
  }
  const atToken = async (asked: RequestParts): Promise<Answer> =>
    send(await endpoint("token_endpoint"), asked)
  const atGate = (
    headers: Fields = [],
    asked: RequestParts & { readonly query?: string } = {},
  ): Promise<Answer> => send(`${route()}${asked.query ?? ""}`, withHeaders(asked, headers))

  /** The offers in the 402 of the token endpoint, with the terms of each. */
  async function readOffers(): Promise<{ entries: PaymentRequirements[]; info: AccessTokenInfo }> {
    return once("board", async () => {
      const answer = await atToken({ method: "POST" })
      requireStatus("POST to the token endpoint without a body", answer, 402)
      const quote = paymentRequiredSchema.parse(answer.body)
      const info = quote.extensions?.[accessTokenExtension]?.info
      if (!info) throw new Deviation("the 402: found no access-token extension, wanted one")
      return { entries: quote.accepts.map((entry) => requirementsSchema.parse(entry)), info }
    })
  }

  /** The cheapest offer whose scope fits, and that the payer can pay. */
  async function offerFor(fits: (scope: string, dpop: boolean) => boolean): Promise<PaymentRequirements> {
    const payer = requirePayer()
    const { entries, info } = await readOffers()
    const most = parseAmount(payer.most, 6)
    const [cheapest] = entries
      .filter(({ network, amount }) => network === payer.network && BigInt(amount) <= most)
      .filter(({ extra }) => {
        const terms = info.offers[extra?.offer ?? ""]
        return terms !== undefined && fits(terms.scope, terms.dpop === "required")
      })
      .sort((a, b) => Number(BigInt(a.amount) - BigInt(b.amount)))
    if (!cheapest) throw new NotRun("needs an offer of another scope, network or price (--network, --most)")
    return cheapest
  }

  function requirePayer(): Payer {
    if (!access.payer) throw new NotRun("needs an account that pays (--account)")
    return access.payer
  }

  /** Scopes that open the route, as its 402 names them. */
  async function openingScopes(): Promise<ReadonlySet<string>> {
    const quote = paymentRequiredSchema.parse((await atGate()).body)
    return new Set(
      Object.values(quote.extensions?.[accessTokenExtension]?.info.offers ?? {}).map(({ scope }) => scope),
    )
  }

  async function post(asked: RequestParts, key: ProofKey | undefined): Promise<Answer> {
    if (!key) return atToken(asked)
    return (
      await withNonce(key, { method: "POST", url: await endpoint("token_endpoint") }, (proof) =>
        atToken(withHeaders(asked, [[dpopHeader, proof]])),
      )
    ).answer
  }

  /** Pays once; sends the same payment again while the service asks to wait. */
  async function buy(accepted: PaymentRequirements, key?: ProofKey): Promise<Sale> {
    const { account } = requirePayer()
    const { resource } = (await readOffers()).info
    const purchase = await preparePurchase({ accepted, url: resource }, account)
    const deadline = seconds() + longestSaleSeconds
    let headers: Fields = Object.entries(purchase.headers)
    for (;;) {
      const answer = await post({ method: "POST", headers }, key)
      if (answer.status === 200) return { ...saleOf(answer), purchase }
      const mayRetry = [202, 429, 503].includes(answer.status) && seconds() < deadline
      requireThat(
        mayRetry,
        `a purchase: found ${answer.status} ${String(answer.body.reason ?? "")}, wanted 200`,
      )
      headers = [...Object.entries(purchase.headers).slice(0, 1), [secretHeader, purchase.secret]]
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }

  /** The grant that most rules use; bought once. */
  const grant = async () =>
    once("seat", async () => {
      const scopes = access.route === undefined ? undefined : await openingScopes()
      const offer = await offerFor((scope, dpop) => !dpop && (scopes === undefined || scopes.has(scope)))
      const first = await buy(offer)
      return { first, token: first.token, refreshToken: first.refreshToken }
    })

  /** Another token of the grant; earlier tokens stay valid until they expire. */
  async function refreshed(): Promise<Sale> {
    const held = await grant()
    const answer = await atToken(form({ grant_type: refreshGrantType, refresh_token: held.refreshToken }))
    requireStatus("a refresh", answer, 200)
    const sale = saleOf(answer)
    held.refreshToken = sale.refreshToken
    return sale
  }

  async function byCredentials(parameters: Record<string, string> = {}): Promise<Sale> {
    if (!access.client) throw new NotRun("needs a client with credentials (--client)")
    const asked = form({ grant_type: clientCredentialsGrantType, ...parameters })
    const answer = await atToken(withHeaders(asked, basic(access.client)))
    requireStatus("client credentials", answer, 200)
    return saleOf(answer)
  }

  return {
    issuer,
    metadata,
    endpoint,
    route,
    atToken,
    atGate,
    readOffers: readOffers,
    offerFor,
    openingScopes: openingScopes,
    buy,
    refreshed,
    byCredentials,
    once,
    access,

    /** RFC 9728: the metadata of the resource that the tokens are for. */
    resourceMetadata: async () =>
      document(wellKnown((await readOffers()).info.resource, "oauth-protected-resource")),

    /** A token that opens the route, from the payer or the client. */
    async token(): Promise<string> {
      if (!access.payer) {
        if (!access.client) throw new NotRun("needs an account that pays (--account) or a client (--client)")
        return (await once("client", byCredentials)).token
      }
      const held = await grant()
      if ((decodeJwt(held.token).exp ?? 0) - seconds() < shortLife) held.token = (await refreshed()).token
      return held.token
    },

    /** The answer to the purchase whose grant the other rules use. */
    purchased: async (): Promise<Sale> => (await grant()).first,

    /** A grant bought with a DPoP proof. */
    bound: (): Promise<Bound> =>
      once("bound", async () => {
        const scopes = access.route === undefined ? undefined : await openingScopes()
        const key = await createProofKey()
        const offer = await offerFor((scope) => scopes === undefined || scopes.has(scope))
        return { key, ...(await buy(offer, key)) }
      }),

    /** Sends a request with a proof, and again with the nonce if the service demands one. */
    withNonce,

    introspect: async (token: string): Promise<Answer> => {
      const url = await endpoint("introspection_endpoint")
      if (!access.introspection) throw new NotRun("needs credentials for introspection (--introspection)")
      return send(url, withHeaders(form({ token }), basic(access.introspection)))
    },

    /** The service's own key, which signs tokens with one error. */
    key: (): ServiceKey => {
      if (!access.key) throw new NotRun("needs the service's signing key (--keys)")
      return access.key
    },
  }
}

function saleOf(answer: Answer): Sale {
  const { access_token: token, refresh_token: refreshToken, scope } = answer.body
  requireThat(typeof token === "string", "a 200 of the token endpoint: found no access_token, wanted one")
  return {
    answer,
    token,
    refreshToken: typeof refreshToken === "string" ? refreshToken : "",
    scope: typeof scope === "string" ? scope : "",
  }
}

/** Asks for each thing once, for any number of rules; a failed request is repeated. */
function memory() {
  const known = new Map<string, Promise<unknown>>()
  return function once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const found = known.get(name) ?? make()
    known.set(name, found)
    found.catch(() => known.delete(name))
    return found as Promise<T>
  }
}
