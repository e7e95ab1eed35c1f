/** Removes the defences that contract-payers.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/redeem.ts", [
    [
      "payers with code pay first",
      'reading.payerHasCode ? "first" : payment.offer.settle',
      "payment.offer.settle",
      "a delegated account",
    ],
  ]),
  ...at("server/grants/payment/signature.ts", [
    ["nobody free by the word of a contract", "byKey ? entry : undefined", "entry", "WL-08"],
    [
      "a wallet's word is the chain's",
      "if (!(await chain.hasCode(payment.transfer.payer))) throw new Refusal(verdict)",
      "",
      "nonsense of a plain account",
    ],
  ]),
]
