/** Removes the defences that policy.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/policy.ts", [
    [
      "the signing domain is the built-in one",
      "if (found.some((value, at) => value !== expected[at]))",
      "if (false)",
      "CLI-08",
    ],
    [
      "one purchase is limited",
      "if (policy.perPurchase !== undefined && micros > policy.perPurchase)",
      "if (false)",
      "CLI-01: the policy limits",
    ],
  ]),
]
