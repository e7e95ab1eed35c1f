/** Removes the defences that recovery.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/recovery.ts", [
    [
      "text of another length or alphabet is no signature",
      "|| !signaturePattern.test(signature)",
      "",
      "returns undefined for bytes that are no signature",
    ],
    [
      "the last byte decides which key is recovered",
      '"1c": 1',
      '"1c": 0',
      "agrees with viem on every signature",
    ],
  ]),
]
