/** Removes the defences that dust.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/payment-grant.ts", [
    [
      "no payment below its settlement cost",
      "if (!entry && !showsSecret(matched)) await requireWorth(matched.payment, deps)",
      "",
      "SET-24",
    ],
  ]),
]
