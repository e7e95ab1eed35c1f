/** Removes the defences that exposure.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/exposure.ts", [
    ["queue longer than the payment lives", " || isTooLate(request, exposure.queued)", "", "SET-40"],
    ["limit per payment", 'if (nominal > limits.perPayment) return "perPayment"', "", "a dearer payment"],
    [
      "what was lost and may be lost, together",
      'if (lost + unsettled + nominal > limits.dailyLoss + limits.total) return "dailyLoss"',
      "",
      "SET-04",
    ],
  ]),
]
