/** `ticket402/client/x402`: a hook for stock x402 clients, with which one payment covers many calls. */
import { tokenResponseSchema } from "../../shared/oauth/messages.ts"
import {
  type AccessTokenInfo,
  accessTokenExtension,
  paymentRequiredSchema,
} from "../../shared/x402/messages.ts"
import { Ticket402Error } from "../core/errors.ts"
import { requireKnown } from "../core/option-names.ts"
import { isTokenEndpoint, parseUrl, resourceOf, tokenEndpointOf } from "../core/origins.ts"
import { createSingleFlight } from "../core/single-flight.ts"
import { discard, readJson } from "../wire/bodies.ts"

export type TokenHookOptions = {
  /**
   * The one origin that the client calls, such as `https://api.example.com`: for clients that give a hook no URL of the
   * refused request (`@x402/axios` 2.11). Only the origin that sold a token receives it.
   */
  readonly origin?: string
  /** Seconds since the epoch. */
  readonly now?: () => number
}

/** The hook of stock clients: returns headers to try before the call itself is paid, or nothing. */
export type TokenHook = (context: {
  readonly paymentRequired: unknown
  readonly requestUrl?: string
}) => Promise<{ headers: Record<string, string> } | undefined>

type HeldToken = { readonly token: string; readonly expiresAt: number; callsLeft: number }

/** A token that expires on its way opens nothing. */
const marginSeconds = 5
const maxBytes = 65_536
const noOtherPlaces = { allowInsecureHttp: false, tokenEndpoints: new Set<string>() }

/**
 * For `x402HTTPClient.onPaymentRequired`. `pay` is the paying `fetch` of the same client, without the hook: it decides
 * about the money. Buys the first offer of a 402 that opens the call, and sends its token until the token expires. Leaves
 * the 402 of any other server to the client.
 *
 * Throws a {@link Ticket402Error} when the 402 sends the payment to another origin, or the token endpoint does not sell.
 */
export function tokenHook(
  pay: (input: URL, init: RequestInit) => Promise<Response>,
  options: TokenHookOptions = {},
): TokenHook {
  requireKnown(options, { origin: true, now: true })
  const { origin, now = () => Date.now() / 1000 } = options
  /** By token endpoint, resource and offer. */
  const heldTokens = new Map<string, HeldToken>()
  const purchases = createSingleFlight<string, void>()

  return async function hook({ paymentRequired, requestUrl }) {
    const info =
      paymentRequiredSchema.safeParse(paymentRequired).data?.extensions?.[accessTokenExtension]?.info
    const asked = placeOf(requestUrl, origin, info)
    if (!info || !asked) return undefined
    const tokenEndpoint = tokenEndpointOf(info.tokenEndpoint, asked, noOtherPlaces)
    if (isTokenEndpoint(info.tokenEndpoint, asked)) return undefined
    const resource = resourceOf(info.resource, asked)
    const cost = info.cost ?? 1
    const offer = choose(info, cost)
    if (offer === undefined) return undefined
    const key = [tokenEndpoint, resource, offer].join(" ")
    for (;;) {
      const heldToken = heldTokens.get(key)
      if (heldToken && isGood(heldToken, cost)) {
        heldToken.callsLeft -= cost
        return { headers: { [info.tokenHeader ?? "Authorization"]: `Bearer ${heldToken.token}` } }
      }
      await purchases.share(key, async () => {
        heldTokens.set(key, await buy(tokenEndpoint, { offer, resource: info.resource }, cost))
      })
    }
  }

  function isGood({ callsLeft, expiresAt }: HeldToken, cost: number): boolean {
    return callsLeft >= cost && expiresAt > now() + marginSeconds
  }

  async function buy(
    tokenEndpoint: URL,
    order: { readonly offer: string; readonly resource: string },
    cost: number,
  ): Promise<HeldToken> {
    const url = new URL(tokenEndpoint)
    url.searchParams.set("offer", order.offer)
    url.searchParams.set("resource", order.resource)
    const askedAt = now()
    // A redirect would take the signed payment along. Not "error", which workerd refuses.
    const response = await pay(url, { method: "POST", redirect: "manual" })
    if (response.status !== 200 || response.redirected) {
      discard(response)
      throw new Ticket402Error("purchase_refused", "The token endpoint sold no token.", {
        found: `status ${response.status}`,
        wanted: "status 200",
      })
    }
    const parsed = tokenResponseSchema.safeParse(await readJson(response, maxBytes))
    if (!parsed.success || parsed.data.token_type !== "Bearer")
      throw new Ticket402Error("answer_malformed", "The token endpoint answered without a bearer token.")
    const { access_token: token, expires_in, grant } = parsed.data
    const heldToken = { token, expiresAt: askedAt + expires_in, callsLeft: grant.calls_remaining ?? Infinity }
    // Otherwise the call would buy another, and then another.
    if (!isGood(heldToken, cost))
      throw new Ticket402Error(
        "answer_malformed",
        "The token endpoint sold a token that does not open the call.",
      )
    return heldToken
  }
}

/** The URL that was refused; as far as it is known, the resource on the one origin that the client calls. */
function placeOf(
  requestUrl: string | undefined,
  origin: string | undefined,
  info: AccessTokenInfo | undefined,
) {
  if (requestUrl !== undefined) return parseUrl(requestUrl)
  if (origin === undefined || !info) return undefined
  return parseUrl(parseUrl(info.resource)?.pathname ?? "/", new URL(origin))
}

/** The first offer that opens the call, with an immediate token if possible; none that requires DPoP. */
function choose({ offers }: AccessTokenInfo, cost: number): string | undefined {
  const [first] = Object.entries(offers)
    .filter(([, terms]) => terms.dpop !== "required" && (terms.calls ?? cost) >= cost)
    .sort(([, a], [, b]) => Number(a.settle === "first") - Number(b.settle === "first"))
  return first?.[0]
}
