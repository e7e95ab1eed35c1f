/** Removes the defences that pay-and-watch.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/http/respond.ts", [
    ["no-store on tokens", '"cache-control": "no-store", ', "", "one payment opens the door at once"],
  ]),
  ...at("server/adapters/express.ts", [
    [
      "private, no-store on what was paid for",
      'onHeaders(res, () => res.setHeader("cache-control", "private, no-store"))',
      "",
      "one payment opens the door at once",
    ],
  ]),
]
