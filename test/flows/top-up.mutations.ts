/** Removes the defences that top-up.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/token-exchange.ts", [
    [
      "the token that is shown is named to the books",
      "shown: { jti: claims.jti, issuedAt: claims.iat }",
      "shown: null",
      "its older tokens yield nothing",
    ],
  ]),
  ...at("server/grants/payment/commitment.ts", [
    [
      "a payment is good for the grant it commits to",
      "grant: target?.grantId })",
      "grant: undefined })",
      "RPL-24: is good for the grant",
    ],
  ]),
  ...at("server/grants/payment/recall.ts", [
    [
      "a further payment is retried with its own secret",
      "opening: topUp.opening, idempotencyHash: null",
      "idempotencyHash: null",
      "a retry with its secret",
    ],
  ]),
]
