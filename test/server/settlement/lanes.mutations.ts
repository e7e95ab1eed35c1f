/** Removes the defences that lanes.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/resend.ts", [
    [
      "gaps of nonces filled",
      "await fill(fence, address, relayer, nonce)",
      "",
      "SET-21: that came free by a reorg",
    ],
    [
      "what nobody waits for is replaced",
      "const call = wanted ? transaction : nothing(relayer.address)",
      "const call = transaction",
      "SET-21: that nobody waits for any more",
    ],
    [
      "a drained key's payments go by another",
      "if (!relayer || isParked(address)) await rescue",
      "if (relayer && isParked(address)) await rescue",
      "KEY-06",
    ],
  ]),
  ...at("server/core/verdict.ts", [
    [
      "dead letters",
      'if (redemption.failure === null && redemption.attempts + 1 >= maxAttempts) return { to: "dead", error }\n',
      "",
      "SET-41: a payment that can never be worked on",
    ],
  ]),
]
