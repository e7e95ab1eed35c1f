/** Removes the defences that grant-rules.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/grant-rules.ts", [
    [
      "a time pass is used before counted calls",
      "grant.callsRemaining === null ? 0 : grant.callsRemaining > 0 ? 1 : 2",
      "0",
      "counted calls are not spent",
    ],
  ]),
]
