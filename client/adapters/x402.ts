/** `ticket402/client/x402`: a hook for stock x402 clients, by which one payment at the ticket office is good for many calls. */
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
   * The one origin that the client calls, such as `https://api.example.com`: for clients that do not tell a hook which URL
   * was refused (`@x402/axios` 2.11). A token is shown to nobody but the origin that sold it.
   */
  readonly origin?: string
  /** Seconds since the epoch. */
  readonly now?: () => number
}

/** As stock clients have it: the headers to try before the call itself is paid for, or nothing. */
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
 * For `x402HTTPClient.onPaymentRequired`. `pay` is the paying `fetch` of the same client, without the hook: what may be
 * spent is its business. Buys the first offer of a 402 that opens the call, and shows its token until it is over; the 402
 * of any other server is left to the client.
 *
 * Throws a {@link Ticket402Error} when the 402 sends the payment to another origin, or the office does not sell.
 */
export function tokenHook(
  pay: (input: URL, init: RequestInit) => Promise<Response>,
  options: TokenHookOptions = {},
): TokenHook {
  requireKnown(options, { origin: true, now: true })
  const { origin, now = () => Date.now() / 1000 } = options
  /** By what was bought, and where. */
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
        return { headers: { Authorization: `Bearer ${heldToken.token}` } }
      }
      await purchases.share(key, async () => {
        heldTokens.set(key, await buy(tokenEndpoint, offer, cost))
      })
    }
  }

  function isGood({ callsLeft, expiresAt }: HeldToken, cost: number): boolean {
    return callsLeft >= cost && expiresAt > now() + marginSeconds
  }

  async function buy(tokenEndpoint: URL, offer: string, cost: number): Promise<HeldToken> {
    const url = new URL(tokenEndpoint)
    url.searchParams.set("offer", offer)
    const askedAt = now()
    // A redirect would take the signed payment along.
    const response = await pay(url, { method: "POST", redirect: "error" })
    if (response.status !== 200) {
      discard(response)
      throw new Ticket402Error("purchase_refused", "The ticket office sold no token.", {
        found: `status ${response.status}`,
        wanted: "status 200",
      })
    }
    const parsed = tokenResponseSchema.safeParse(await readJson(response, maxBytes))
    if (!parsed.success || parsed.data.token_type !== "Bearer")
      throw new Ticket402Error("answer_malformed", "The ticket office answered without a bearer token.")
    const { access_token: token, expires_in, grant } = parsed.data
    const heldToken = { token, expiresAt: askedAt + expires_in, callsLeft: grant.calls_remaining ?? Infinity }
    // Otherwise the call would buy another, and then another.
    if (!isGood(heldToken, cost))
      throw new Ticket402Error(
        "answer_malformed",
        "The ticket office sold a token that does not open the call.",
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

/** The first that opens the call, those with a token at once before others; none that wants proofs of possession. */
function choose({ offers }: AccessTokenInfo, cost: number): string | undefined {
  const [first] = Object.entries(offers)
    .filter(([, terms]) => terms.dpop !== "required" && (terms.calls ?? cost) >= cost)
    .sort(([, a], [, b]) => Number(a.settle === "first") - Number(b.settle === "first"))
  return first?.[0]
}
