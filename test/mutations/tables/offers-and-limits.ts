/** What is sold at which price, and how much is at stake meanwhile. */
import { at, type Mutation } from "../mutation.ts"

const store = "test/contracts/store.test.ts"
const payment = "test/server/core/payment.test.ts"
const quotes = "test/server/feeds/quote-seals.test.ts"
const prices = "test/server/feeds/price-list.test.ts"
const exposure = "test/server/core/exposure.test.ts"

export const offersAndLimits: readonly Mutation[] = [
  ...at("server/core/payment.ts", [
    [
      "no price without a quote",
      'if (!quoted) throw new Refusal("quote_invalid")',
      "if (!quoted) return transfer.value",
      quotes,
      "QTE-05",
    ],
    [
      "end of a quote",
      'if (signedAt(transfer, price) > quoted.expiresAt) throw new Refusal("quote_expired")',
      "",
      quotes,
      "QTE-04",
    ],
  ]),
  ...at("server/feeds/quote-seals.ts", [
    [
      "seal of a quote",
      "return read && keys.isQuoteSealed(sealedText(subjectOf(offer, price), read), read) ? read : undefined",
      "return read",
      quotes,
      "QTE-05",
    ],
  ]),
  ...at("server/core/dynamic-quote.ts", [
    ["a quote is for one offer", "    subject.offer,\n", "", quotes, "QTE-05, QTE-10, RPL-24"],
    ["a quote is of one service", "    subject.issuer,\n", "", quotes, "QTE-05, QTE-10, RPL-24"],
    ["a quote is for one amount", "    amount.toString(),\n", "", quotes, "QTE-05: that is edited"],
    ["a quote has one end", "    expiresAt,\n  ])", "  ])", quotes, "QTE-05: that is edited"],
  ]),
  ...at("server/core/pricing.ts", [
    [
      "a function's price is never nothing",
      'if (amount === 0n) throw new AmountError("found a price of 0")',
      "",
      prices,
      "QTE-09",
    ],
    [
      "a function's price is text",
      'if (typeof answer !== "string")',
      "if (answer == null)",
      prices,
      "QTE-09",
    ],
  ]),
  ...at("server/grants/payment/buyer.ts", [
    [
      "the commitment covers the quote",
      "committedOffer(payment.offer.ref, payment.accepted.extra?.quote)",
      "committedOffer(payment.offer.ref, undefined)",
      "test/flows/dynamic-prices.test.ts",
      "QTE-04, RPL-24",
    ],
  ]),
  ...at("server/http/payment-required.ts", [
    [
      "a closed price is no empty offer",
      'if (row.status === 402 && row.action === "buy" && isClosed)',
      "if (false)",
      prices,
      "QTE-09",
    ],
  ]),
  ...at("server/app/start-checks.ts", [
    [
      "every price is somebody's",
      "if (problems.length > 0) throw new ConfigError(problems)",
      "",
      prices,
      "QTE-08",
    ],
  ]),
  ...at("server/keys/index.ts", [
    [
      "an old key of quotes ends",
      'key.id === kid && quoteState(key) !== "gone"',
      "key.id === kid",
      quotes,
      "QTE-04: a rotation",
    ],
  ]),
  ...at("client/purchase/booking.ts", [
    [
      "nothing is signed for a price that is over",
      "if (now <= (terms.priceExpiresAt ?? Number.POSITIVE_INFINITY)) return",
      "if (now > 0) return",
      "test/client/purchase/dry-run.test.ts",
      "whose prices are always over",
    ],
  ]),
  ...at("server/feeds/price-list.ts", [
    [
      "functions are asked on a schedule",
      "const goodForSeconds = 10",
      "const goodForSeconds = 0",
      prices,
      "asks a function every ten seconds",
    ],
    [
      "no quote of a removed key",
      " || quotes.open(known.quote, offer, price) === undefined",
      "",
      prices,
      "seals its prices anew",
    ],
    ["what failed is closed", "told.set(key, null)\n", "", prices, "QTE-09: what failed"],
    [
      "no late price",
      "return Promise.race([Promise.resolve().then(work), late])",
      "return Promise.resolve().then(work)",
      prices,
      "an answer after the time is up",
    ],
  ]),
  ...at("server/core/payment.ts", [
    [
      "exact amount",
      "if (transfer.value !== price.amount ||",
      "if (transfer.value < price.amount ||",
      payment,
      "QTE-01, SET-36",
    ],
    [
      "recipient",
      'if (transfer.payTo !== price.payTo) throw new Refusal("recipient_mismatch")',
      "",
      payment,
      "QTE-02, QTE-06",
    ],
    [
      "time left",
      "if (transfer.validBefore < BigInt(now + wanted))",
      "if (false)",
      payment,
      "SET-09, SET-10",
    ],
    [
      "longest window",
      "if (transfer.validBefore > BigInt(now + longestPaymentSeconds))",
      "if (false)",
      payment,
      "SET-09, SET-10",
    ],
    [
      "valid already",
      'if (transfer.validAfter >= BigInt(now)) throw new Refusal("not_yet_valid")',
      "",
      payment,
      "SET-09, SET-10",
    ],
  ]),
  ...at("server/core/exposure.ts", [
    ["bounded queue", "standing.queued >= limits.queue || ", "", store, "refuses when the queue is full"],
    ["queue longer than the payment lives", " || isTooLate(claim, standing.queued)", "", exposure, "SET-40"],
    [
      "balance minus pending",
      "claim.balance - standing.pending <",
      "claim.balance <",
      store,
      "counts pending value against the balance",
    ],
    [
      "limit per payment",
      'if (nominal > limits.perPayment) return "perPayment"',
      "",
      exposure,
      "a dearer payment",
    ],
    [
      "exposure per payer",
      'if (payer.unsettled + nominal > limits.perPayer) return "perPayer"',
      "",
      store,
      "settle first what would exceed",
    ],
    [
      "one payment of a new payer",
      'if (payer.settled === 0 && payer.open >= limits.newPayer) return "newPayer"',
      "",
      store,
      "let a new payer have one payment",
    ],
    [
      "exposure in total",
      'if (unsettled + nominal > limits.total) return "total"',
      "",
      store,
      "settle first what would exceed",
    ],
    [
      "what was lost and may be lost, together",
      'if (lost + unsettled + nominal > limits.dailyLoss + limits.total) return "dailyLoss"',
      "",
      exposure,
      "SET-04",
    ],
    ["loss breaker", "lost > 0n && lost >= limits.dailyLoss", "false", store, "half-open by themselves"],
    [
      "few probes while half open",
      "probes < 2 ** Math.min(minute, 30) ?",
      "probes < 1000 ?",
      store,
      "half-open by themselves",
    ],
  ]),
  ...at("server/core/grant.ts", [
    [
      "no token before the money",
      'if (isIssued(grant) || grant.ended || settlement !== "settled") return grant',
      "if (isIssued(grant)) return grant",
      store,
      "settle-first payments",
    ],
    [
      "a token issued once",
      'if (isIssued(grant) || grant.ended || settlement !== "settled") return grant',
      'if (grant.ended || settlement !== "settled") return grant',
      store,
      "have no token before the money is in",
    ],
  ]),
  ...at("server/chains/read-budget.ts", [
    [
      "looks for code by the second",
      "if (await isSpent())",
      "if (false)",
      "test/server/chains/read-budget.test.ts",
      "DOS-12",
    ],
  ]),
  ...at("server/grants/settlement-waits.ts", [
    [
      "bounded waits",
      "stopped || waiting.size >= atOnce",
      "stopped",
      "test/server/grants/settlement-waits.test.ts",
      "is refused at once",
    ],
    [
      "a wait ends with its client",
      'signal.addEventListener("abort", wait.end, { once: true })',
      "",
      "test/server/grants/settlement-waits.test.ts",
      "ends when it takes too long",
    ],
  ]),
  ...at("server/http/rate.ts", [
    [
      "rate of a peer",
      "if (spent.consumedPoints > requests)",
      "if (false)",
      "test/flows/limits.test.ts",
      "a peer that asks too often",
    ],
  ]),
]
