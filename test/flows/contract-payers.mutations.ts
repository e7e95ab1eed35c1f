/** Removes the defences that contract-payers.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/http/health.ts", [
    ["lost gas is visible", "...(failedGas > 0n && {", "...(false && {", "SET-51: readiness shows"],
  ]),
  ...at("server/stores/verbs/admission.ts", [
    [
      "the budget of lost gas is the configured one",
      "BigInt(order.limits.failedGas)",
      "3_000_000n",
      "SET-51: readiness shows",
    ],
  ]),
  ...at("server/grants/payment/redeem.ts", [
    [
      "payers with code are settled first",
      "  reading.payerCode !== null ||\n  Number(payment",
      "  Number(payment",
      "a delegated account",
    ],
  ]),
  ...at("server/grants/payment/signature.ts", [
    ["a contract signature gives no free grant", "byKey ? entry : undefined", "entry", "WL-08"],
    [
      "a contract's signature is judged on chain",
      "if (!(await chain.hasCode(payment.transfer.payer))) throw new Refusal(verdict)",
      "",
      "a wrong signature of a plain",
    ],
  ]),
]
