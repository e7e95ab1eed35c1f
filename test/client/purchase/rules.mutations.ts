/** Removes the defences that rules.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/policy.ts", [
    [
      "recipients are limited to the list",
      "if (policy.payTos && !policy.payTos.has(payTo))",
      "if (false)",
      "that is not listed before anything",
    ],
  ]),
  ...at("client/purchase/approval.ts", [
    ["only true approves", "if (answer !== true)", "if (answer === false)", "refuses the purchase"],
  ]),
  ...at("client/purchase/offers.ts", [
    [
      "origins are limited to the list",
      "if (policy.origins && !policy.origins.has(asked.origin))",
      "if (false)",
      "that is not listed before anything",
    ],
  ]),
]
