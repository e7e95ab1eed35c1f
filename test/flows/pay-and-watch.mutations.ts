/** Removes the defences that pay-and-watch.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/http/respond.ts", [
    ["no-store on tokens", '"cache-control": "no-store", ', "", "one payment opens a route"],
  ]),
  ...at("server/gate/handle-gate.ts", [
    [
      "private, no-store on paid answers",
      '{ "cache-control": "private, no-store" }',
      "{}",
      "one payment opens a route",
    ],
  ]),
]
