/** Removes the defences that budget.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/budget-rules.ts", [
    [
      "the budget limits one purchase too",
      '["amount_over_limit", 0n, limits.perPurchase],',
      "",
      "CLI-01: the budget limits",
    ],
    ["returned budget is bounded", "givenBack + micros <= most", "true", "CLI-02: refusals that settle"],
  ]),
  ...at("client/purchase/budget.ts", [
    [
      "budget is reserved before signing",
      'if (reserved.kind !== "reserved" && reserved.kind !== "lock_lost") throw errorOf(reserved, spending)',
      'if (reserved.kind !== "lock_lost") return true',
      "CLI-02: a seller charging",
    ],
  ]),
]
