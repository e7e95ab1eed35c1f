/** Fetches the signed receipt of the payment behind a grant, and verifies it with the seller's keys. */
import type { JSONWebKeySet } from "jose"
import * as z from "zod"
import { errorBodySchema, secretHeader, wellKnown } from "../../shared/oauth/messages.ts"
import type { Receipt } from "../../shared/oauth/receipt.ts"
import { Ticket402Error } from "../core/errors.ts"
import { isWithin } from "../core/origins.ts"
import { verifyReceipt } from "../verifier/receipt.ts"
import { discard, readJson } from "../wire/bodies.ts"
import { timeoutSignal } from "../wire/timeout.ts"
import { urlOf } from "./refreshable.ts"
import type { Grant } from "./store.ts"
import type { Wallet } from "./wallet.ts"

/** A receipt that holds: `signed` is the JWS for third parties, `content` the verified facts in it. */
export type SignedReceipt = { readonly signed: string; readonly content: Receipt }

/** Throws a {@link Ticket402Error}: `receipt_unavailable` with the service's reason, for example until it has settled. */
export type FetchReceipt = (url: string | URL) => Promise<SignedReceipt>

const maxBytes = 262_144
const answerSchema = z.object({ receipt: z.string().max(16_384) })
const metadataSchema = z.object({ issuer: z.string(), receipt_jwks_uri: z.string() })
const keysSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(10_000) })

export function createFetchReceipt(deps: {
  readonly fetch: typeof globalThis.fetch
  readonly wallet: Wallet
  readonly timeoutMs: number
}): FetchReceipt {
  /** Neither the secret nor the trust in keys follows a redirect. */
  const ask = (url: string, headers: Record<string, string> = {}): Promise<Response> =>
    deps.fetch(url, {
      headers: { accept: "application/json", ...headers },
      redirect: "manual",
      credentials: "omit",
      cache: "no-store",
      signal: timeoutSignal(deps.timeoutMs),
    })

  async function read<T>(url: string, schema: z.ZodType<T>, headers?: Record<string, string>): Promise<T> {
    const response = await ask(url, headers)
    if (response.status !== 200) throw await refused(response)
    const parsed = schema.safeParse(await readJson(response, maxBytes))
    if (parsed.success) return parsed.data
    throw new Ticket402Error("answer_malformed", "The service answered without a receipt or its keys.")
  }

  return async (url) => {
    const { tokenEndpoint, secret } = await paidGrantFor(deps.wallet, urlOf(url))
    const issuer = tokenEndpoint.replace(/\/token$/, "")
    const { receipt: signed } = await read(`${tokenEndpoint}/receipt`, answerSchema, {
      [secretHeader]: secret.slice(2),
    })
    const metadata = await read(wellKnown(issuer, "oauth-authorization-server"), metadataSchema)
    if (metadata.issuer !== issuer || new URL(metadata.receipt_jwks_uri).origin !== new URL(issuer).origin)
      throw new Ticket402Error("answer_malformed", "The metadata of the service are another service's.")
    const keys = await read(metadata.receipt_jwks_uri, keysSchema)
    return { signed, content: await verifyReceipt(signed, keys as JSONWebKeySet, issuer) }
  }
}

type PaidGrant = Grant & { readonly secret: NonNullable<Grant["secret"]> }

/** The most recently used grant for the URL that was paid for. */
async function paidGrantFor(wallet: Wallet, asked: URL): Promise<PaidGrant> {
  const found = (await wallet.listLiving()).find(
    (grant): grant is PaidGrant => grant.secret !== undefined && isWithin(new URL(grant.resource), asked),
  )
  if (found) return found
  throw new Ticket402Error("grant_missing", "There is no paid grant for this URL in the wallet.", {
    found: asked.origin,
    action: "buy",
  })
}

async function refused(response: Response): Promise<Ticket402Error> {
  const { data } = errorBodySchema.safeParse(await readJson(response, maxBytes))
  discard(response)
  return new Ticket402Error("receipt_unavailable", "The service gives no receipt now.", {
    found: `status ${response.status}`,
    ...(data?.reason !== undefined && { reason: data.reason }),
    ...(data?.next && { action: data.next.action }),
  })
}
