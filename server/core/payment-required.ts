/** Builds the x402 `PaymentRequired`: the offers on sale, their prices and the token endpoint. */

import { networks } from "../../shared/networks/index.ts"
import { findAsset } from "../../shared/networks/network.ts"
import { hasScope } from "../../shared/oauth/access-token.ts"
import { requireScheme } from "../../shared/schemes/index.ts"
import type { TokenHeader } from "../../shared/token-header.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { checksumAddress } from "../../shared/values/evm.ts"
import {
  type AccessTokenInfo,
  accessTokenExtension,
  authHintsExtension,
  type PaymentRequirements,
  paymentIdentifierExtension,
} from "../../shared/x402/messages.ts"
import { economicsOf } from "./economics.ts"
import { priceSentence } from "./price-sentence.ts"
import type { PricedOffer } from "./pricing.ts"

/** A stock nginx breaks at about 3,800 characters of header. */
export const headerLimit = 3072

export type PaymentRequiredTerms = {
  /** The resource that is refused: the resource identifier plus the route's pattern, or the token endpoint. */
  readonly url: string
  readonly error: string
  readonly offers: readonly PricedOffer[]
  /** Units that the call costs; absent at the token endpoint. */
  readonly cost?: number
  readonly issuer: string
  readonly tokenEndpoint: string
  /** The header that shows the token; `Authorization` when not given. */
  readonly tokenHeader?: TokenHeader | undefined
  /** The audience of tokens. */
  readonly resource: string
  /**
   * At the gate, a value that no stock client knows, so that such a client refuses before it signs and pays no gate that
   * sells nothing. At the token endpoint it is absent: each offer names its settlement.
   */
  readonly paymentFlow?: "access-token"
  /** Which offers may be paid at the gate all the same. */
  readonly payAtRoutes?: (offer: PricedOffer) => boolean
}

export type PaymentRequiredForms = {
  /** The value of `PAYMENT-REQUIRED`, at most {@link headerLimit} characters. */
  readonly header: string
  /** The same as JSON, with every entry, and a `message` for a person. */
  readonly body: string
}

/** The offers that open a scope; all of them when no scope is asked for. */
export const offersFor = <O extends { readonly scope: string }>(
  offers: readonly O[],
  scope: string | undefined,
): readonly O[] => (scope === undefined ? offers : offers.filter((offer) => hasScope(offer.scope, scope)))

export function createPaymentRequired(terms: PaymentRequiredTerms): PaymentRequiredForms {
  const isPayable = (offer: PricedOffer) =>
    terms.paymentFlow === undefined || terms.payAtRoutes?.(offer) === true
  const entries = terms.offers.flatMap((offer) =>
    requirements(offer, isPayable(offer) ? flowOf(offer) : terms.paymentFlow).map((accepted) => ({
      offer,
      accepted,
    })),
  )
  const whole = paymentRequired(terms, entries, "whole")
  const body = JSON.stringify(whole)
  let count = entries.length
  let header = encodeHeader(whole)
  if (header.length > headerLimit) header = encodeHeader(paymentRequired(terms, entries, "bare"))
  // The sentence, comparisons and hints go first. Entries that do not fit stay in the body only; the first always goes out, or a client would have nothing to buy.
  while (header.length > headerLimit && count > 1) {
    count -= 1
    header = encodeHeader(paymentRequired(terms, entries.slice(0, count), "bare"))
  }
  return { header, body }
}

type Entry = { readonly offer: PricedOffer; readonly accepted: PaymentRequirements }

function paymentRequired(terms: PaymentRequiredTerms, entries: readonly Entry[], form: "whole" | "bare") {
  const info: AccessTokenInfo = {
    tokenEndpoint: terms.tokenEndpoint,
    resource: terms.resource,
    ...(terms.cost !== undefined && terms.cost !== 1 && { cost: terms.cost }),
    ...(terms.tokenHeader && { tokenHeader: terms.tokenHeader }),
    offers: Object.fromEntries(
      entries.map(({ offer }) => [
        offer.ref,
        {
          scope: offer.scope,
          durationSeconds: offer.durationSeconds,
          calls: offer.units,
          settle: offer.settle,
          ...(offer.priceExpiresAt !== undefined && { priceExpiresAt: offer.priceExpiresAt }),
          ...(offer.dpop === "required" && { dpop: offer.dpop }),
          ...(form === "whole" && economicsOf(offer, terms.offers)),
        },
      ]),
    ),
  }
  return {
    x402Version: 2,
    error: terms.error,
    ...(form === "whole" && { message: priceSentence(terms.offers, terms.tokenEndpoint) }),
    resource: { url: terms.url, mimeType: "application/json" },
    accepts: entries.map((entry) => entry.accepted),
    extensions: {
      [accessTokenExtension]: { info, schema: { type: "object" } },
      [paymentIdentifierExtension]: { info: { required: false }, schema: { type: "object" } },
      ...(form === "whole" && authHints(terms, entries)),
    },
  }
}

/** The entries that the gate takes with a token only, and the token endpoint; absent where every entry can be paid. */
function authHints({ issuer, tokenEndpoint, paymentFlow }: PaymentRequiredTerms, entries: readonly Entry[]) {
  const tokens = new Map<"Bearer" | "DPoP", number[]>()
  for (const [index, { offer, accepted }] of entries.entries()) {
    if (paymentFlow === undefined || accepted.extra?.paymentFlow !== paymentFlow) continue
    const tokenType = offer.dpop === "required" ? "DPoP" : "Bearer"
    tokens.set(tokenType, [...(tokens.get(tokenType) ?? []), index])
  }
  if (tokens.size === 0) return {}
  const authRequirements = [...tokens].map(([tokenType, acceptIndexes]) => ({
    acceptIndexes,
    methods: [{ type: "oauth2", tokenType, authorizationServer: issuer, tokenEndpoint }],
  }))
  return { [authHintsExtension]: { info: { authRequirements }, schema: { type: "object" } } }
}

/** The entries of offers as they are paid. */
export const payableEntries = (offers: readonly PricedOffer[]): readonly PaymentRequirements[] =>
  offers.flatMap((offer) => requirements(offer, flowOf(offer)))

/** x402's word for "delivered once it is paid". */
const flowOf = ({ settle }: PricedOffer): "upfront" | undefined =>
  settle === "first" ? "upfront" : undefined

function requirements(
  offer: PricedOffer,
  paymentFlow: "access-token" | "upfront" | undefined,
): PaymentRequirements[] {
  return offer.prices.map((price) => {
    const network = networks.get(price.network)
    const asset = network && findAsset(network, price.asset)
    const scheme = requireScheme(price.scheme)
    return {
      scheme: scheme.name,
      network: price.network,
      amount: price.amount.toString(),
      asset: checksumAddress(price.asset),
      payTo: checksumAddress(price.payTo),
      maxTimeoutSeconds: price.maxTimeoutSeconds,
      extra: {
        ...(asset && { ...scheme.extra(asset), decimals: asset.decimals }),
        offer: offer.ref,
        ...(price.quote !== undefined && { quote: price.quote }),
        ...(paymentFlow !== undefined && { paymentFlow }),
      },
    }
  })
}
