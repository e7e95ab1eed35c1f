/** Removes the defences that keys.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/gate.ts", [
    [
      "trust in the key is checked at every hit",
      " || !keys.isTrusted(known.kid)",
      "",
      "TOK-26: refuse tokens",
    ],
  ]),
  ...at("server/grants/payment/payment-grant.ts", [
    [
      "no payment for a token that cannot be signed",
      "deps.keys.check()",
      "",
      "loses no payment when the signer fails",
    ],
  ]),
]
