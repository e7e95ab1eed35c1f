/** Removes the defences that dry-run.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/prepare-payment.ts", [
    [
      "nothing is signed for an expired price",
      "if (now <= (terms.priceExpiresAt ?? Number.POSITIVE_INFINITY)) return",
      "if (now > 0) return",
      "a seller whose prices",
    ],
  ]),
]
