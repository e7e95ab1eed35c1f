/** Removes the defences that strangers.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/chain.ts", [
    [
      "a used nonce is refused",
      'if (reading.used) return { ...signed, kind: "on_chain", chain, reading }',
      "",
      "RPL-16: cannot redeem it after it settled",
    ],
  ]),
]
