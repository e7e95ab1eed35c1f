/** Checks tokens of an issuer that runs elsewhere: the gate for a resource server in any framework. */
import { type Claims, claimsSchema, isMeantFor } from "../../shared/oauth/access-token.ts"
import {
  needsPrice,
  type PlainAnswer,
  type PriceForms,
  refusalAnswer,
} from "../../shared/oauth/gate-answer.ts"
import { wellKnown } from "../../shared/oauth/messages.ts"
import { readCredential, whyRefused } from "../../shared/oauth/token-check.ts"
import type { GateReason } from "../../shared/refusals.ts"
import { type TokenHeader, tokenHeader } from "../../shared/token-header.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { Ticket402Error } from "../core/errors.ts"
import { requireKnown } from "../core/option-names.ts"
import { isPrivateEnough, parseUrl } from "../core/origins.ts"
import { plainFetch } from "../wire/global-fetch.ts"
import { adaptToHost } from "../wire/host.ts"
import { createIssuerState, ResourceUnsold } from "./issuer-state.ts"

export type VerifierOptions = {
  /** The issuer, byte for byte as in its metadata. */
  readonly issuer: string
  /**
   * The audience tokens must have: the URL of this service, one of the issuer's `resources`. The issuer itself when not
   * given, for a service below its origin.
   */
  readonly resource?: string
  /**
   * The header that shows the token, in place of `Authorization`, for a service whose own login needs that one. Hand its
   * values to `check`; the 402 names it to the client.
   */
  readonly tokenHeader?: TokenHeader
  /** Allow an issuer over plain http that is not on loopback. */
  readonly allowInsecureHttp?: boolean
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since the epoch. */
  readonly now?: () => number
}

export type TokenVerdict =
  | { readonly kind: "pass"; readonly claims: Claims }
  /** To be answered as it stands: the answer of the issuer's own gate, with the price where paying helps. */
  | ({ readonly kind: "refuse"; readonly reason: GateReason } & PlainAnswer)

export type Verifier = {
  /**
   * `authorization`: every value of that header, or of `tokenHeader`, e.g. Node's `request.headersDistinct.authorization`.
   * Never throws.
   */
  check(authorization: string | readonly string[] | null | undefined, scope: string): Promise<TokenVerdict>
  /** Stops asking the issuer. */
  close(): void
}

const verifierNames = {
  issuer: true,
  resource: true,
  tokenHeader: true,
  allowInsecureHttp: true,
  fetch: true,
  now: true,
} satisfies Record<keyof VerifierOptions, true>

/** A list older than this may hide a failed settlement or a removal from the whitelist. */
const staleSeconds = 15

/** Throws {@link Ticket402Error} `option_invalid`. */
export function createVerifier(options: VerifierOptions): Verifier {
  requireKnown(options, verifierNames)
  const { issuer, resource = issuer, allowInsecureHttp = false, tokenHeader: shownIn } = options
  if (shownIn !== undefined && shownIn !== tokenHeader)
    throw new Ticket402Error("option_invalid", "The option tokenHeader is wrong.", {
      found: String(shownIn),
      wanted: tokenHeader,
    })
  for (const each of [issuer, resource]) requireIdentifier(each, allowInsecureHttp)
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const fetch = adaptToHost(options.fetch ?? plainFetch)
  const issuerState = createIssuerState(issuer, {
    resource,
    tokenHeader: shownIn,
    fetch,
    now,
    allowInsecureHttp,
  })
  const resourceMetadata = wellKnown(resource, "oauth-protected-resource")

  async function judge(authorization: readonly string[], scope: string): Promise<GateReason | Claims> {
    const credential = readCredential({ authorization })
    if (typeof credential === "string") return credential
    const opened = await issuerState.open(credential.token)
    const isStale = issuerState.age() > staleSeconds
    // The token may be good, and its key newer than the last answer of the issuer.
    if (opened === undefined && isStale) return "gate_unavailable"
    const { data: claims } = claimsSchema.safeParse(opened)
    if (!claims || !isMeantFor(claims, { issuer, resources: [resource] })) return "token_invalid"
    const refused = whyRefused(claims, {
      scheme: credential.scheme,
      scope,
      now: now(),
      ended: issuerState.reasonFor(claims),
      takesProofs: false,
      whyDelisted: () => (isStale ? "gate_unavailable" : undefined),
      isStale,
    })
    return refused ?? claims
  }

  async function priceOf(reason: GateReason, scope: string): Promise<PriceForms> {
    const { header, body } = await issuerState.price(scope)
    return {
      header: encodeHeader({ ...header, error: reason }),
      body: JSON.stringify({ ...body, error: reason }),
    }
  }

  async function refuse(reason: GateReason, scope: string): Promise<TokenVerdict> {
    const place = { realm: resource, scope, resourceMetadata, tokenHeader: shownIn }
    try {
      const price = needsPrice(reason) ? await priceOf(reason, scope) : undefined
      return { kind: "refuse", reason, ...refusalAnswer(reason, place, price) }
    } catch (error) {
      // A 402 without a price helps nobody.
      const found =
        error instanceof ResourceUnsold
          ? `The issuer ${issuer} sells no tokens for ${resource}: add it to its resources.`
          : undefined
      const unavailable = refusalAnswer("gate_unavailable", place, undefined, found)
      return { kind: "refuse", reason: "gate_unavailable", ...unavailable }
    }
  }

  return {
    async check(authorization, scope) {
      const values = typeof authorization === "string" ? [authorization] : (authorization ?? [])
      const found = await judge(values, scope)
      return typeof found === "string" ? refuse(found, scope) : { kind: "pass", claims: found }
    },
    close: issuerState.close,
  }
}

function requireIdentifier(text: string, allowInsecureHttp: boolean): void {
  const url = parseUrl(text)
  if (!url || text.endsWith("/") || !isPrivateEnough(url, allowInsecureHttp))
    throw new Ticket402Error("option_invalid", "The verifier needs to know whose tokens it checks.", {
      found: text,
      wanted: "the https URL of the issuer, as in its metadata",
    })
}
