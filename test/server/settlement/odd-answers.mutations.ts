/** Removes the defences that odd-answers.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/outages.ts", [
    [
      "a refused request is no outage",
      " && !(error instanceof RequestRefused)",
      "",
      "to the search for their logs",
    ],
  ]),
  ...at("server/chains/evm.ts", [
    [
      "a refusal to simulate is an answer about one call",
      "if (error instanceof RequestRefused) return null",
      "",
      "to the simulation of cheats",
    ],
  ]),
  ...at("server/chains/node-errors.ts", [
    [
      "a malformed answer is no trouble of the node",
      "cause instanceof HttpFailed ||",
      "!(cause instanceof RpcError) ||",
      "to their simulation stop",
    ],
  ]),
  ...at("server/settlement/resend.ts", [
    [
      "balances show that a relayer has no gas",
      'if (result === "unfunded" && (await isUnfunded(fence, relayer)))',
      'if (result === "unfunded")',
      "to their transactions",
    ],
  ]),
]
