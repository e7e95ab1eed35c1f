/** Removes the defences that policy.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/policy.ts", [
    [
      "domain of the own table",
      "if ((extra.name ?? name) !== name || (extra.version ?? version) !== version)",
      "if (false)",
      "CLI-08",
    ],
    [
      "limit of one purchase",
      "if (policy.perPurchase !== undefined && micros > policy.perPurchase)",
      "if (false)",
      "CLI-01: the limit of one purchase",
    ],
  ]),
]
