/** Removes the defences that dust.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/index.ts", [
    [
      "no dust",
      "if (!entry) await deps.funding.get(payment.network.id)?.requireWorth(nominalOf(payment))",
      "",
      "SET-24",
    ],
  ]),
]
