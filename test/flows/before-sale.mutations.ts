/** Removes the defences that before-sale.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/approval.ts", [
    [
      "a refusal is applied",
      "if (decision !== undefined) throw",
      "if (decision === null) throw",
      "refuses a sale with its reason",
    ],
    [
      "a decision has a time limit",
      "Promise.race([late, beforeSale(sale)])",
      "beforeSale(sale)",
      "takes too long",
    ],
    [
      "a reason is plain text",
      "decision === undefined || publicText.test(decision.refuse)",
      "true",
      "answers nonsense",
    ],
  ]),
]
