/** Removes the defences that top-up.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/token-exchange.ts", [
    [
      "the presented token is passed to the store",
      "shown: { jti: claims.jti, issuedAt: claims.iat }",
      "shown: null",
      "moves the grant to a larger",
    ],
  ]),
  ...at("server/grants/payment/commitment.ts", [
    [
      "a payment is bound to the grant it commits to",
      "grant: target?.grantId })",
      "grant: undefined })",
      "RPL-24: is bound to the grant",
    ],
  ]),
  ...at("server/grants/payment/recall.ts", [
    [
      "a top-up is retried with its own secret",
      "opening: topUp.opening, idempotencyHash: null",
      "idempotencyHash: null",
      "adds time and calls to its grant",
    ],
  ]),
]
