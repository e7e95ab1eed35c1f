/** The service that is looked at: what it says of itself, and how its tokens are come by. */
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
import type { ServiceKey } from "./forgery.ts"
import type { Bound, Credentials, Means, Payer, Sale } from "./means.ts"
import { withNonce } from "./proving.ts"
import { Deviation, Unseen, want, wantStatus } from "./want.ts"
import { type Answer, type Asked, type Fields, form, send, withHeaders } from "./wire.ts"

export type Subject = ReturnType<typeof createSubject>

/** A token is renewed before it is that close to its end, in seconds. */
const shortLife = 20
/** How long a payment may wait for the one before it. */
const longestSaleSeconds = 60
const seconds = (): number => Math.floor(Date.now() / 1000)
const basic = ({ id, secret }: Credentials): Fields => [
  [
    "authorization",
    `Basic ${Buffer.from([id, secret].map(encodeURIComponent).join(":")).toString("base64")}`,
  ],
]

export function createSubject(means: Means) {
  const issuer = means.url.replace(/\/$/, "")
  const { origin } = new URL(issuer)
  const once = memory()

  const document = (url: string) =>
    once(url, async () => {
      const answer = await send(url)
      wantStatus(`GET ${new URL(url).pathname}`, answer, 200)
      return answer.body
    })
  const metadata = () => document(wellKnown(issuer, "oauth-authorization-server"))

  /** A member of the metadata that is an address. */
  async function endpoint(name: string): Promise<string> {
    const url = (await metadata())[name]
    if (url === undefined) throw new Unseen(`the service has no ${name}`)
    want(typeof url === "string" && URL.canParse(url), `${name}: found no URL, wanted one`)
    return url
  }

  const route = (): string => {
    if (means.route === undefined) throw new Unseen("needs a gated route (--route)")
    return `${origin}${means.route}`
  }
  const atToken = async (asked: Asked): Promise<Answer> => send(await endpoint("token_endpoint"), asked)
  const atGate = (headers: Fields = [], asked: Asked & { readonly query?: string } = {}): Promise<Answer> =>
    send(`${route()}${asked.query ?? ""}`, withHeaders(asked, headers))

  /** What is on sale at the ticket office, on the payer's network, with the terms of each offer. */
  async function board(): Promise<{ entries: PaymentRequirements[]; info: AccessTokenInfo }> {
    return once("board", async () => {
      const answer = await atToken({ method: "POST" })
      wantStatus("POST to the token endpoint without anything", answer, 402)
      const quote = paymentRequiredSchema.parse(answer.body)
      const info = quote.extensions?.[accessTokenExtension]?.info
      if (!info) throw new Deviation("the 402: found no access-token extension, wanted one")
      return { entries: quote.accepts.map((entry) => requirementsSchema.parse(entry)), info }
    })
  }

  /** The cheapest offer with such a scope that the payer may buy. */
  async function offerFor(fits: (scope: string, dpop: boolean) => boolean): Promise<PaymentRequirements> {
    const payer = wantPayer()
    const { entries, info } = await board()
    const most = parseAmount(payer.most, 6)
    const [cheapest] = entries
      .filter(({ network, amount }) => network === payer.network && BigInt(amount) <= most)
      .filter(({ extra }) => {
        const terms = info.offers[extra?.offer ?? ""]
        return terms !== undefined && fits(terms.scope, terms.dpop === "required")
      })
      .sort((a, b) => Number(BigInt(a.amount) - BigInt(b.amount)))
    if (!cheapest) throw new Unseen("needs an offer of another scope, network or price (--network, --most)")
    return cheapest
  }

  function wantPayer(): Payer {
    if (!means.payer) throw new Unseen("needs an account that pays (--account)")
    return means.payer
  }

  /** Offers that the 402 of the route names open it. */
  async function opening(): Promise<ReadonlySet<string>> {
    const quote = paymentRequiredSchema.parse((await atGate()).body)
    return new Set(
      Object.values(quote.extensions?.[accessTokenExtension]?.info.offers ?? {}).map(({ scope }) => scope),
    )
  }

  async function post(asked: Asked, key: ProofKey | undefined): Promise<Answer> {
    if (!key) return atToken(asked)
    return (
      await withNonce(key, { method: "POST", url: await endpoint("token_endpoint") }, (proof) =>
        atToken(withHeaders(asked, [[dpopHeader, proof]])),
      )
    ).answer
  }

  /** Pays once; the same payment is sent again while the service asks for patience. */
  async function buy(accepted: PaymentRequirements, key?: ProofKey): Promise<Sale> {
    const { account } = wantPayer()
    const { resource } = (await board()).info
    const purchase = await preparePurchase({ accepted, url: resource }, account)
    const deadline = seconds() + longestSaleSeconds
    let headers: Fields = Object.entries(purchase.headers)
    for (;;) {
      const answer = await post({ method: "POST", headers }, key)
      if (answer.status === 200) return { ...saleOf(answer), purchase }
      const patience = [202, 429, 503].includes(answer.status) && seconds() < deadline
      want(patience, `a purchase: found ${answer.status} ${String(answer.body.reason ?? "")}, wanted 200`)
      headers = [...Object.entries(purchase.headers).slice(0, 1), [secretHeader, purchase.secret]]
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }

  /** The grant that most rules look at; bought once. */
  const grant = async () =>
    once("seat", async () => {
      const scopes = means.route === undefined ? undefined : await opening()
      const offer = await offerFor((scope, dpop) => !dpop && (scopes === undefined || scopes.has(scope)))
      const first = await buy(offer)
      return { first, token: first.token, refreshToken: first.refreshToken }
    })

  /** Another token of the grant; those before stay good until they expire. */
  async function refreshed(): Promise<Sale> {
    const held = await grant()
    const answer = await atToken(form({ grant_type: refreshGrantType, refresh_token: held.refreshToken }))
    wantStatus("a refresh", answer, 200)
    const sale = saleOf(answer)
    held.refreshToken = sale.refreshToken
    return sale
  }

  async function byCredentials(parameters: Record<string, string> = {}): Promise<Sale> {
    if (!means.client) throw new Unseen("needs a client with credentials (--client)")
    const asked = form({ grant_type: clientCredentialsGrantType, ...parameters })
    const answer = await atToken(withHeaders(asked, basic(means.client)))
    wantStatus("client credentials", answer, 200)
    return saleOf(answer)
  }

  return {
    issuer,
    metadata,
    endpoint,
    route,
    atToken,
    atGate,
    board,
    offerFor,
    opening,
    buy,
    refreshed,
    byCredentials,
    once,
    means,

    /** RFC 9728: the document that the resource of the tokens has at its well-known place. */
    resourceMetadata: async () =>
      document(wellKnown((await board()).info.resource, "oauth-protected-resource")),

    /** A token that opens the route, by whatever means there are. */
    async token(): Promise<string> {
      if (!means.payer) {
        if (!means.client) throw new Unseen("needs an account that pays (--account) or a client (--client)")
        return (await once("client", byCredentials)).token
      }
      const held = await grant()
      if ((decodeJwt(held.token).exp ?? 0) - seconds() < shortLife) held.token = (await refreshed()).token
      return held.token
    },

    /** The answer of the purchase whose grant the other rules use. */
    purchased: async (): Promise<Sale> => (await grant()).first,

    /** A grant bought with a proof of possession. */
    bound: (): Promise<Bound> =>
      once("bound", async () => {
        const scopes = means.route === undefined ? undefined : await opening()
        const key = await createProofKey()
        const offer = await offerFor((scope) => scopes === undefined || scopes.has(scope))
        const { token, answer } = await buy(offer, key)
        return { key, token, answer }
      }),

    /** Sends a request with a proof, and once more with the nonce when one is asked for. */
    withNonce,

    introspect: async (token: string): Promise<Answer> => {
      const url = await endpoint("introspection_endpoint")
      if (!means.introspection)
        throw new Unseen("needs a service that may ask about tokens (--introspection)")
      return send(url, withHeaders(form({ token }), basic(means.introspection)))
    },

    /** Whether a token may be signed by the service's own key. */
    key: (): ServiceKey => {
      if (!means.key) throw new Unseen("needs the service's signing key (--keys)")
      return means.key
    },
  }
}

function saleOf(answer: Answer): Sale {
  const { access_token: token, refresh_token: refreshToken, scope } = answer.body
  want(typeof token === "string", "a 200 of the token endpoint: found no access_token, wanted one")
  return {
    answer,
    token,
    refreshToken: typeof refreshToken === "string" ? refreshToken : "",
    scope: typeof scope === "string" ? scope : "",
  }
}

/** Each thing is asked for once, however many rules look at it; what failed is asked for again. */
function memory() {
  const known = new Map<string, Promise<unknown>>()
  return function once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const found = known.get(name) ?? make()
    known.set(name, found)
    found.catch(() => known.delete(name))
    return found as Promise<T>
  }
}
