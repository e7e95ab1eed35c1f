/** Removes the defences that payment-required.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/payment-required.ts", [
    [
      "no hint that a payable entry needs a token",
      "if (paymentFlow === undefined || accepted.extra?.paymentFlow !== paymentFlow) continue",
      "",
      "names the token endpoint in auth-hints",
    ],
  ]),
]
