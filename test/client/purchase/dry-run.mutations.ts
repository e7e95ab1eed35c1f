/** Removes the defences that dry-run.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/booking.ts", [
    [
      "nothing is signed for a price that is over",
      "if (now <= (terms.priceExpiresAt ?? Number.POSITIVE_INFINITY)) return",
      "if (now > 0) return",
      "whose prices are always over",
    ],
  ]),
]
