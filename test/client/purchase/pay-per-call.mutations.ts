/** Removes the defences that pay-per-call.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/sale.ts", [
    [
      "plain servers are paid by those who want to",
      "return deps.payPerCall ? readPlain",
      "return true ? readPlain",
      "unless that was asked for",
    ],
  ]),
  ...at("client/purchase/pay-per-call.ts", [
    [
      "a plain server is shown the same payment again",
      "if (old && mayStillPay(old, now())) return show(old, call, holding)",
      "",
      "IDM-08",
    ],
    ["a paid POST is not repeated", "isIdempotent(request) ? until : now()", "until", "CLI-17"],
    [
      "a settlement that failed has not been paid",
      "settlement?.success ?? response.status < 400",
      "response.status < 400",
      "a settlement that says it failed",
    ],
  ]),
]
