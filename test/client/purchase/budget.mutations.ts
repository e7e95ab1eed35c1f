/** Removes the defences that budget.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/budget-rules.ts", [
    [
      "limit of one purchase, again",
      '["amount_over_limit", 0n, limits.perPurchase],',
      "",
      "CLI-01: the limit of one purchase",
    ],
    ["what is given back is bounded", "givenBack + micros <= most", "true", "a seller who always refuses"],
  ]),
  ...at("client/purchase/budget.ts", [
    [
      "budget before signing",
      'if (reserved.kind === "over" || reserved.kind === "recipient_changed") throw errorOf(reserved, spending)',
      'if (reserved.kind !== "claim_lost") return true',
      "gets the day's budget and no more",
    ],
  ]),
]
