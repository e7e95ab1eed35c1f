/** Removes the defences that receipt.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/access/receipt.ts", [
    [
      "no receipt before settlement",
      "payments.filter(({ state }) => isSettled(state))",
      "payments",
      "a receipt is issued while its payment",
    ],
  ]),
]
