/** Removes the defences that calls.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/call-state.ts", [
    [
      "a POST does not reach the handler twice",
      "state.hasToken && (outcome.byGate || outcome.isRepeatable)",
      "state.hasToken",
      "CLI-17: a POST that the handler",
    ],
  ]),
]
