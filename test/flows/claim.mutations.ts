/** Removes the defences that claim.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/claim.ts", [
    [
      "only the secret claims a payment on the chain",
      'if (!showsSecret(onChain)) throw new Refusal("payment_on_chain", "Wanted Ticket402-Secret.")',
      "",
      "RPL-27: gives a stranger without the secret nothing",
    ],
    [
      "a plain client claims nothing",
      'if (opening === null || target) throw new Refusal("authorization_used")',
      "",
      "RPL-27: gives a stranger without the secret nothing",
    ],
    [
      "the grant of a claimed payment runs from the transfer",
      "startsAt: blockTime",
      "startsAt: now",
      "RPL-26: is accepted until an hour after its end",
    ],
  ]),
  ...at("server/grants/payment/transfer-search.ts", [
    [
      "a claimed payment moved the money of the offer",
      'if (outcome.kind !== "paid") throw new Refusal("authorization_used")',
      'if (outcome.kind !== "paid") return { evidence: { ...block, logIndex: 0 }, blockTime: 0 }',
      "RPL-27: buys nothing when its nonce moved",
    ],
    [
      "two nodes agree on the transfer of a claimed payment",
      "const source = chain.agreed(nominalOf(payment)) ?? chain",
      "const source = chain",
      "SET-29: waits while a node shows a transfer",
    ],
  ]),
  ...at("server/core/claim.ts", [
    [
      "a payment on the chain is claimed within an hour of its end",
      "BigInt(now) <= validBefore + BigInt(claimSeconds)",
      "true",
      "RPL-26: is accepted until an hour after its end",
    ],
  ]),
  ...at("server/stores/verbs/claim.ts", [
    [
      "a claimed payment can be sent again after a reorg",
      "  transfer: order.transfer,",
      '  transfer: { ...order.transfer, signature: "0x" },',
      "SET-47: is sent by the service",
    ],
  ]),
]
