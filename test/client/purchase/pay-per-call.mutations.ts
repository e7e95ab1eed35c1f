/** Removes the defences that pay-per-call.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/offers.ts", [
    [
      "plain servers are paid only with payPerCall",
      "return deps.payPerCall ? readPlain",
      "return true ? readPlain",
      "is not paid without payPerCall",
    ],
  ]),
  ...at("client/purchase/pay-per-call.ts", [
    [
      "a plain server gets the same payment again",
      "if (old && mayStillPay(old, now())) return showPayment(old, call, lock, deps)",
      "",
      "IDM-08",
    ],
    ["a paid POST is not repeated", "isIdempotent(request) ? until : now()", "until", "CLI-17"],
    [
      "a failed settlement is no payment",
      "settlement?.success ?? response.status < 400",
      "response.status < 400",
      "IDM-12: keeps a payment",
    ],
  ]),
]
