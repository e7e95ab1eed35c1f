/** Seals prices of functions as price quotes, so that they hold without being stored. */

import type { Offer, OpenQuote, Price } from "../core/offers.ts"
import { type QuoteSubject, readQuote, sealedText, writeQuote } from "../core/price-quote.ts"
import type { Keys } from "../ports/keys.ts"

export type Quotes = {
  /** Promises the amount for payments signed until `expiresAt`. Throws SignerUnavailable. */
  make(offer: Offer, price: Price, told: { readonly amount: bigint; readonly expiresAt: number }): string
  readonly open: OpenQuote
}

export function createQuotes(keys: Pick<Keys, "sealQuote" | "isQuoteSealed">, issuer: string): Quotes {
  const subjectOf = (offer: Offer, { network, scheme, asset }: Price): QuoteSubject => ({
    issuer,
    offer: offer.ref,
    network,
    scheme,
    asset,
  })
  return {
    make(offer, price, told) {
      return writeQuote({ ...told, ...keys.sealQuote(sealedText(subjectOf(offer, price), told)) })
    },
    open(quote, offer, price) {
      const read = readQuote(quote)
      return read && keys.isQuoteSealed(sealedText(subjectOf(offer, price), read), read) ? read : undefined
    },
  }
}
