/** Removes the defences that rules.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/policy.ts", [
    [
      "recipients that may be paid",
      "if (policy.payTos && !policy.payTos.has(payTo))",
      "if (false)",
      "that is not on the list is refused",
    ],
  ]),
  ...at("client/purchase/approval.ts", [
    [
      "only a yes is a yes",
      "if (answer !== true)",
      "if (answer === false)",
      "refuses the purchase, and nothing is signed",
    ],
  ]),
  ...at("client/purchase/sale.ts", [
    [
      "origins that may be paid",
      "if (policy.origins && !policy.origins.has(asked.origin))",
      "if (false)",
      "that is not on the list is refused",
    ],
  ]),
]
