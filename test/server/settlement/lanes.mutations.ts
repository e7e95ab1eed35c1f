/** Removes the defences that lanes.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/nonce-gaps.ts", [
    ["nonce gaps are filled", "await fill(fence, address, relayer, nonce)", "", "SET-21: freed by a reorg"],
  ]),
  ...at("server/settlement/resend.ts", [
    [
      "an abandoned transaction is replaced",
      "const call = wanted ? transaction : emptyTransfer(relayer.address)",
      "const call = transaction",
      "SET-21: of an expired",
    ],
    [
      "payments of a drained key move to another",
      "if (!relayer || isParked(address)) await rescue",
      "if (relayer && isParked(address)) await rescue",
      "KEY-06",
    ],
  ]),
  ...at("server/core/verdict.ts", [
    [
      "a payment moves to dead after its last attempt",
      'if (attempts + 1 >= maxAttempts) return { to: "dead", error }\n',
      "",
      "SET-41: a payment that always",
    ],
  ]),
]
