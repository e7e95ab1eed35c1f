/** Removes the defences that option-names.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/app/settings.ts", [
    [
      "unknown limits of the budget are refused",
      'requireKnown(options.budget, budgetNames, "budget.")',
      "",
      "refuses an unknown option",
    ],
  ]),
  ...at("client/core/option-names.ts", [
    [
      "unknown options are refused",
      "if (unknown === undefined) return",
      "if (names) return",
      "refuses an unknown option",
    ],
  ]),
]
