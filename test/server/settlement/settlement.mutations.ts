/** Removes the defences that settlement.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/send.ts", [
    [
      "stored before sent",
      "    const redemptions = group.rows.map((row) => row.key)\n",
      "    const redemptions = group.rows.map((row) => row.key)\n    await chain.send(version.raw)\n",
      "SET-44",
    ],
  ]),
  ...at("server/settlement/finality.ts", [
    [
      "settled payments rechecked until final",
      "if (!stays) return takeBack(fence, rows)",
      "if (!stays) return",
      "SET-32: a settled payment whose cancel wins",
    ],
    [
      "final by the chain's word only",
      "if (stays && block.blockNumber > finalNumber) return",
      "",
      "a settled payment is final when the chain says so",
    ],
  ]),
  ...at("server/settlement/context.ts", [
    [
      "a node of another chain is no try of a payment",
      "const outages = [ChainUnavailable, ChainMismatch, ",
      "const outages = [ChainUnavailable, ",
      "SET-30: a node that turns out",
    ],
  ]),
]
