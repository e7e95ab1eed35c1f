/** Removes the defences that pay-and-watch.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/http/respond.ts", [
    ["no-store on tokens", '"cache-control": "no-store", ', "", "one payment opens a route"],
  ]),
  ...at("server/http/token-endpoint.ts", [
    [
      "no payment in a GET",
      `if ([paymentSignatureHeader, paymentHeaderV1].some((name) => request.headers.has(name)))
      throw new Refusal("method_not_allowed")`,
      "",
      "GET /token shows the offers",
    ],
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
