/** Removes the defences that calls.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/app/fetch.ts", [
    [
      "a POST does not reach the handler twice",
      "return isGates || isIdempotent(request)",
      "return true",
      "CLI-17: a POST that the handler",
    ],
  ]),
]
