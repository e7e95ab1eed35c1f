/** Removes the defences that not-sent.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/purchase/conclude-payment.ts", [
    [
      "a payment that was not sent does not count",
      "      await deps.store.undo(payment)\n",
      "",
      "CLI-14: a fetch that throws at once has sent nothing",
    ],
    [
      "a payment that may have been sent is kept",
      'case "unsent":\n      if (payment.uncertain) throw',
      'case "unsent":\n      if (!payment) throw',
      "CLI-14: a fetch that throws at once after",
    ],
  ]),
  ...at("client/purchase/prepare-payment.ts", [
    [
      "the key of a token is made before the signature",
      "    const proofKey = await prepareProof(plan)\n    const isReserved = await budget.reserve(spending)",
      "    const isReserved = await budget.reserve(spending)\n    const proofKey = await prepareProof(plan)",
      "CLI-14: a host that cannot make DPoP keys",
    ],
  ]),
  ...at("client/wire/persist.ts", [
    [
      "a long wait is the caller's choice",
      "if (isTooLong || tools.now() + seconds >= end)",
      "if (tools.now() + seconds >= end)",
      "a service without gas",
    ],
  ]),
]
