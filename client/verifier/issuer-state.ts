/** Keeps the state of an issuer for a verifier: keys, revocations and prices, fetched ahead and never per token. */
import * as z from "zod"
import { accessTokenType, type Claims } from "../../shared/oauth/access-token.ts"
import { errorBodySchema, wellKnown } from "../../shared/oauth/messages.ts"
import { createRevocationSet, type RevocationSet } from "../../shared/oauth/revocation.ts"
import {
  type RevocationList,
  revocationListSchema,
  revocationsType,
} from "../../shared/oauth/revocation-list.ts"
import type { TokenHeader } from "../../shared/token-header.ts"
import { decodeHeader } from "../../shared/values/codec.ts"
import { parseJson } from "../../shared/values/json.ts"
import { paymentRequiredHeader } from "../../shared/x402/messages.ts"
import { isPrivateEnough } from "../core/origins.ts"
import { readText } from "../wire/bodies.ts"
import { timeoutSignal } from "../wire/timeout.ts"
import { createIssuerKeys } from "./issuer-keys.ts"

/** How often the list is asked for; with the issuer's own second the published bound of 5 s holds. */
const listSeconds = 2
const priceSeconds = 60
const maxBytes = 1024 * 1024
/** How far the issuer's clock may be from this one. */
const clockSeconds = 60

const metadataSchema = z.object({
  issuer: z.string(),
  jwks_uri: z.string(),
  revocations_uri: z.string(),
  gate_uri: z.string(),
})

const documentSchema = z.looseObject({})

export type IssuerStateTools = {
  /** The audience whose price is shown. */
  readonly resource: string
  /** The header that shows the token, where it is not `Authorization`. */
  readonly tokenHeader: TokenHeader | undefined
  readonly fetch: typeof globalThis.fetch
  readonly now: () => number
  readonly allowInsecureHttp: boolean
}

/** The issuer did not answer, or not in the form of its own documents. */
class IssuerUnavailable extends Error {}

/** The issuer sells no tokens for the resource of the verifier. */
export class ResourceUnsold extends Error {}

/** The 402 of the issuer's own gate for a scope: what fits a header, and all of it. */
export type Price = { readonly header: object; readonly body: object }

export type IssuerState = {
  /** The content that a trusted key signed in its one spelling; undefined for any other token. */
  open(token: string): Promise<unknown>
  reasonFor(claims: Claims): ReturnType<RevocationSet["reasonFor"]>
  /** Seconds since the list was last known to be whole. */
  age(): number
  /** Throws when the issuer does not answer. */
  price(scope: string): Promise<Price>
  close(): void
}

export function createIssuerState(issuer: string, tools: IssuerStateTools): IssuerState {
  const { now } = tools
  const set = createRevocationSet()
  const prices = new Map<string, { readonly price: Price; readonly at: number }>()
  let places: z.infer<typeof metadataSchema> | undefined
  let listAt = Number.NEGATIVE_INFINITY
  let etag: string | undefined
  let cursor = 0
  let generation: string | undefined
  let timer: ReturnType<typeof setInterval> | undefined
  let reading: Promise<void> | undefined
  const keys = createIssuerKeys(now, async () => json((await discover()).jwks_uri))

  async function ask(url: string, headers: Record<string, string> = {}): Promise<Response> {
    const response = await tools.fetch(url, {
      headers,
      // Not "error", which workerd refuses. A redirect has no status that is accepted below.
      redirect: "manual",
      credentials: "omit",
      cache: "no-store",
      signal: timeoutSignal(5000),
    })
    if (response.redirected) throw new IssuerUnavailable()
    return response
  }

  async function json(url: string): Promise<unknown> {
    const response = await ask(url)
    const text = await readText(response, maxBytes)
    if (response.status !== 200 || text === undefined) throw new IssuerUnavailable()
    return parseJson(text)
  }

  /** An address in the issuer's metadata must be of its origin: the answers decide about access. */
  function place(text: string): string {
    const url = new URL(text)
    if (url.origin !== new URL(issuer).origin || !isPrivateEnough(url, tools.allowInsecureHttp))
      throw new IssuerUnavailable()
    return url.href
  }

  async function discover(): Promise<z.infer<typeof metadataSchema>> {
    if (places) return places
    const found = metadataSchema.parse(await json(place(wellKnown(issuer, "oauth-authorization-server"))))
    if (found.issuer !== issuer) throw new IssuerUnavailable()
    places = {
      issuer,
      jwks_uri: place(found.jwks_uri),
      revocations_uri: place(found.revocations_uri),
      gate_uri: place(found.gate_uri),
    }
    return places
  }

  /** Reads one page of the list; resolves to whether there are more. */
  async function readPage(): Promise<boolean> {
    const [askedAt, since] = [now(), cursor]
    const { revocations_uri } = await discover()
    const named = generation === undefined ? "" : `&generation=${encodeURIComponent(generation)}`
    const url = `${revocations_uri}?since=${since}${named}`
    const response = await ask(url, etag === undefined ? {} : { "if-none-match": etag })
    const text = await readText(response, maxBytes)
    const isUnchanged = response.status === 304 && etag !== undefined
    if (!isUnchanged) {
      if (response.status !== 200 || text === undefined) throw new IssuerUnavailable()
      if (!keys.has(text, revocationsType)) await keys.readIfDue()
      const list = revocationListSchema.parse(await keys.open(text, revocationsType))
      take(list, askedAt)
      etag = cursor === since ? (response.headers.get("etag") ?? undefined) : undefined
      if (list.more) return true
    }
    set.forget(askedAt)
    listAt = askedAt
    return false
  }

  function take(list: RevocationList, askedAt: number): void {
    // A list of other books (restored or begun anew) is read from 0: a cursor of the old books would skip
    // revocations.
    const since = list.generation === generation ? cursor : 0
    const isAnswer = list.iss === issuer && list.since === since && list.next >= since
    if (!isAnswer || Math.abs(list.iat - askedAt) > clockSeconds) throw new IssuerUnavailable()
    set.add(list.revocations)
    keys.remove(list.removedKeys)
    generation = list.generation
    cursor = list.next
  }

  async function readAll(): Promise<void> {
    try {
      await keys.readIfDue()
      while (await readPage());
    } catch {
      // The known state stays, and verdicts look at its age.
    }
  }

  /** One reading at a time: later callers wait for the first. */
  function refresh(): Promise<void> {
    reading ??= readAll().finally(() => {
      reading = undefined
    })
    return reading
  }

  /** The first check starts the regular readings. */
  async function begin(): Promise<void> {
    if (timer === undefined) {
      timer = setInterval(refresh, listSeconds * 1000)
      // In Node it keeps no process alive.
      if (typeof timer === "object") timer.unref()
      await refresh()
    } else if (listAt === Number.NEGATIVE_INFINITY) await reading
  }

  return {
    async open(token) {
      await begin()
      if (!keys.has(token, accessTokenType)) await keys.readIfDue().catch(() => undefined)
      return keys.open(token, accessTokenType)
    },
    reasonFor: set.reasonFor,
    age: () => now() - listAt,
    async price(scope) {
      const known = prices.get(scope)
      if (known && now() < known.at + priceSeconds) return known.price
      const { gate_uri } = await discover()
      const resource = encodeURIComponent(tools.resource)
      const forms = tools.tokenHeader ? `${gate_uri}/token-header/price` : `${gate_uri}/price`
      const response = await ask(`${forms}/${encodeURIComponent(scope)}?resource=${resource}`)
      const text = await readText(response, maxBytes)
      const error =
        response.status === 400 && text !== undefined ? errorBodySchema.parse(parseJson(text)) : undefined
      if (error?.reason === "invalid_target") throw new ResourceUnsold()
      if (response.status !== 402 || text === undefined) throw new IssuerUnavailable()
      const header = decodeHeader(response.headers.get(paymentRequiredHeader) ?? "")
      const price = { header: documentSchema.parse(header), body: documentSchema.parse(parseJson(text)) }
      prices.set(scope, { price, at: now() })
      return price
    },
    close: () => clearInterval(timer),
  }
}
