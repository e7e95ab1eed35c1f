/** Removes the defences that dynamic-prices.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/commitment.ts", [
    [
      "the commitment covers the quote",
      "committedOffer(payment.offer.ref, payment.accepted.extra?.quote)",
      "committedOffer(payment.offer.ref, undefined)",
      "QTE-04, RPL-24",
    ],
  ]),
]
