/** Removes the defences that quote-seals.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/payment.ts", [
    [
      "no dynamic price without a quote",
      'if (!quoted) throw new Refusal("quote_invalid")',
      "if (!quoted) return transfer.value",
      "QTE-05",
    ],
    [
      "a quote expires",
      'if (signedAt(transfer, price) > quoted.expiresAt) throw new Refusal("quote_expired")',
      "",
      "QTE-04",
    ],
  ]),
  ...at("server/feeds/quote-seals.ts", [
    [
      "a quote's seal is checked",
      "return read && keys.isQuoteSealed(sealedText(subjectOf(offer, price), read), read) ? read : undefined",
      "return read",
      "QTE-05",
    ],
  ]),
  ...at("server/core/price-quote.ts", [
    ["a quote is bound to one offer", "    subject.offer,\n", "", "QTE-05, QTE-10, RPL-24"],
    ["a quote is bound to one service", "    subject.issuer,\n", "", "QTE-05, QTE-10, RPL-24"],
    ["a quote is bound to one amount", "    amount.toString(),\n", "", "QTE-05: is refused after any"],
    ["a quote is bound to its expiry", "    expiresAt,\n  ])", "  ])", "QTE-05: is refused after any"],
  ]),
  ...at("server/keys/secret-keys.ts", [
    [
      "an old quote key expires",
      'key.id === kid && quoteState(key) !== "gone"',
      "key.id === kid",
      "QTE-04: keep old quotes",
    ],
  ]),
]
