/** Removes the defences that strangers.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/chain.ts", [
    ["used nonce", 'if (reading.used) return "authorization_used"', "", "settled elsewhere before"],
  ]),
]
