/** Removes the defences that pay-and-watch.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/http/respond.ts", [
    ["no-store on tokens", '"cache-control": "no-store", ', "", "one payment opens the door at once"],
  ]),
  ...at("server/gate/handle-gate.ts", [
    [
      "private, no-store on what was paid for",
      '{ "cache-control": "private, no-store" }',
      "{}",
      "one payment opens the door at once",
    ],
  ]),
]
