/** Removes the defences that purchase.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/payment.ts", [
    [
      "the first sending omits the secret",
      "payment.sends > 0 &&",
      "payment.sends >= 0 &&",
      "CLI-14: a lost answer",
    ],
  ]),
  ...at("client/purchase/conclude-payment.ts", [
    [
      "an unanswered payment is resent",
      "  await store.keep(payment)\n",
      "  await store.drop(payment)\n",
      "CLI-14, IDM-02: an unanswered",
    ],
  ]),
  ...at("client/wire/token-endpoint.ts", [
    [
      "a delayed settlement is a payment taken",
      'body.data?.reason === "settlement_delayed"',
      "false",
      "SET-52",
    ],
  ]),
]
