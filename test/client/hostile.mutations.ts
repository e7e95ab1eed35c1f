/** Removes the defences that hostile.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/wire/read-challenge.ts", [
    ["a 402 is read within its time limit", ", timeoutSignal(timeoutMs))", ")", ": no overspending, no leak"],
  ]),
]
