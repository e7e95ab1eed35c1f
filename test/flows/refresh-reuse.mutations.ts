/** Removes the defences that refresh-reuse.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/recovery.ts", [
    [
      "a recovered grant has tokens of its own",
      "return { ...alive, id, generation: 0, rotation: null, token }",
      "return { ...alive, id: grant.id, generation: 0, rotation: null, token }",
      "TOK-30: is recovered by the payment",
    ],
  ]),
  ...at("server/grants/refresh-token.ts", [
    [
      "a refresh token shown by two peers is logged",
      "rotation.by !== peer",
      "rotation.by === peer",
      "a refresh token shown by two peers",
    ],
  ]),
]
