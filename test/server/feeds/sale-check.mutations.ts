/** Removes the defences that sale-check.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/feeds/sale-check.ts", [
    [
      "no readiness without a signature thread",
      "if (!(error instanceof Overloaded)) throw error",
      "",
      "fails while signatures cannot be checked",
    ],
  ]),
]
