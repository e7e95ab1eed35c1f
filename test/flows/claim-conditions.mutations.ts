/** Removes the defences that claim-conditions.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/transfer-search.ts", [
    [
      "a claimed payment is deep enough",
      "depthOf(found.block.blockNumber, reading.blockNumber) < confirmations(network.id)",
      "false",
      "RPL-26: is accepted at the depth that counts",
    ],
  ]),
  ...at("server/grants/payment/chain.ts", [
    [
      "a secret does not open a sale without gas",
      "if (mayBeOnChain) await requireSale(signed, deps)",
      "",
      "RPL-26: needs no relayer with gas",
    ],
    [
      "a payment on the chain needs no gas",
      "if (!mayBeOnChain && !free) await requireOpen(payment, deps)",
      "if (!free) await requireOpen(payment, deps)",
      "RPL-26: needs no relayer with gas",
    ],
  ]),
]
