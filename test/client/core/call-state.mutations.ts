/** Removes the defences that call-state.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/call-state.ts", [
    [
      "one payment a call",
      'step: state.isPaid ? "return" : "readOffers"',
      'step: "readOffers"',
      "at most one payment that is taken",
    ],
    [
      "one more signature after a refused payment",
      "return state.isSecondAttempt",
      "return state.isPaid",
      "signs at most once more",
    ],
    [
      "one refresh a call",
      "if (!state.isRefreshed) return",
      "if (!state.isPaid) return",
      "refreshes at most once",
    ],
  ]),
]
