/** Removes the defences that two-nodes.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/confirm.ts", [
    [
      "a second node confirms settlement",
      'const counts = deep && (await witness(row, evidence)) === "confirmed"',
      "const counts = deep",
      "SET-29: is not settled",
    ],
  ]),
  ...at("server/grants/payment/chain.ts", [
    [
      "a second node confirms acceptance",
      "const source = chain.agreed(nominalOf(payment)) ?? chain",
      "const source = chain",
      "SET-29: is not accepted while two nodes",
    ],
  ]),
]
