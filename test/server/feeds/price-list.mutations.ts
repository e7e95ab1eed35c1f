/** Removes the defences that price-list.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/pricing.ts", [
    [
      "a function's price is above zero",
      'if (amount === 0n) throw new AmountError("found a price of 0")',
      "",
      "QTE-09",
    ],
    ["a function's price is text", 'if (typeof answer !== "string")', "if (answer == null)", "QTE-09"],
  ]),
  ...at("server/gate/challenges.ts", [
    [
      "a closed price answers 503, not an empty offer",
      'if (row.status === 402 && row.action === "buy" && isClosed)',
      "if (false)",
      "QTE-09",
    ],
  ]),
  ...at("server/app/start-checks.ts", [
    ["every price has one source", "if (problems.length > 0) throw new ConfigError(problems)", "", "QTE-08"],
  ]),
  ...at("server/feeds/price-list.ts", [
    [
      "price functions are called on a schedule",
      "const goodForSeconds = 10",
      "const goodForSeconds = 0",
      "calls a function every",
    ],
    [
      "no quote of a removed key",
      " || quotes.open(known.quote, offer, price) === undefined",
      "",
      "seals its quotes anew",
    ],
    ["a failed price closes its offer", "lastPrices.set(key, null)\n", "", "QTE-09: closes a failed"],
    [
      "a late price is ignored",
      "return Promise.race([Promise.resolve().then(work), late])",
      "return Promise.resolve().then(work)",
      "ignores an answer after the deadline",
    ],
  ]),
]
