/** Removes the defences that purchase.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/payment.ts", [
    [
      "the secret stays out of the first sending",
      "payment.sends > 0 &&",
      "payment.sends >= 0 &&",
      "which the first sending lacks",
    ],
  ]),
  ...at("client/purchase/delivery.ts", [
    [
      "the same payment again",
      "    await store.keep(payment)\n",
      "    await store.drop(payment)\n",
      "a payment without an answer is kept",
    ],
  ]),
]
