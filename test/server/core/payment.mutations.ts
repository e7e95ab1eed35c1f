/** Removes the defences that payment.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/payment.ts", [
    [
      "the value is the exact price",
      "if (transfer.value !== price.amount ||",
      "if (transfer.value < price.amount ||",
      "QTE-01, SET-36",
    ],
    [
      "recipient",
      'if (transfer.payTo !== price.payTo) throw new Refusal("recipient_mismatch")',
      "",
      "QTE-02, QTE-06",
    ],
    [
      "a payment has enough time left",
      "if (transfer.validBefore < BigInt(now + wanted))",
      "if (false)",
      "SET-09, SET-10",
    ],
    [
      "a payment is valid for an hour at most",
      "if (transfer.validBefore > BigInt(now + longestPaymentSeconds))",
      "if (false)",
      "SET-09, SET-10",
    ],
    [
      "a payment is valid already",
      'if (transfer.validAfter >= BigInt(now)) throw new Refusal("not_yet_valid")',
      "",
      "SET-09, SET-10",
    ],
  ]),
]
