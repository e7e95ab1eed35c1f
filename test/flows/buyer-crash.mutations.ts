/** Removes the defences that buyer-crash.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/prepare-payment.ts", [
    [
      "a payment is stored before it is sent",
      "if (!(await store.keep({ ...payment, sends: 1, uncertain: true }))) throw overtaken()",
      "",
      "killed at any step",
    ],
  ]),
  ...at("client/wallet/refresh.ts", [
    [
      "a refresh in progress survives a crash",
      "await deps.store.change(grant, { refreshSends: sends })",
      "",
      "between a refresh and its answer",
    ],
  ]),
]
