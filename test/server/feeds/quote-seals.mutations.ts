/** Removes the defences that quote-seals.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/payment.ts", [
    [
      "no price without a quote",
      'if (!quoted) throw new Refusal("quote_invalid")',
      "if (!quoted) return transfer.value",
      "QTE-05",
    ],
    [
      "end of a quote",
      'if (signedAt(transfer, price) > quoted.expiresAt) throw new Refusal("quote_expired")',
      "",
      "QTE-04",
    ],
  ]),
  ...at("server/feeds/quote-seals.ts", [
    [
      "seal of a quote",
      "return read && keys.isQuoteSealed(sealedText(subjectOf(offer, price), read), read) ? read : undefined",
      "return read",
      "QTE-05",
    ],
  ]),
  ...at("server/core/price-quote.ts", [
    ["a quote is for one offer", "    subject.offer,\n", "", "QTE-05, QTE-10, RPL-24"],
    ["a quote is of one service", "    subject.issuer,\n", "", "QTE-05, QTE-10, RPL-24"],
    ["a quote is for one amount", "    amount.toString(),\n", "", "QTE-05: that is edited"],
    ["a quote has one end", "    expiresAt,\n  ])", "  ])", "QTE-05: that is edited"],
  ]),
  ...at("server/keys/index.ts", [
    [
      "an old key of quotes ends",
      'key.id === kid && quoteState(key) !== "gone"',
      "key.id === kid",
      "QTE-04: a rotation",
    ],
  ]),
]
