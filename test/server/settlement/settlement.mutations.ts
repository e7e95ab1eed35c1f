/** Removes the defences that settlement.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/send.ts", [
    [
      "a transaction is stored before it is sent",
      "    const redemptions = group.rows.map((row) => row.key)\n",
      "    const redemptions = group.rows.map((row) => row.key)\n    await chain.send(version.raw)\n",
      "SET-44",
    ],
  ]),
  ...at("server/settlement/finality.ts", [
    [
      "settled payments are checked until final",
      "if (!stays) return takeBack(fence, rows)",
      "if (!stays) return",
      "SET-32: with a cancellation",
    ],
    [
      "a payment is final only when its block is",
      "if (stays && block.blockNumber > finalNumber) return",
      "",
      "cannot pass unnoticed",
    ],
  ]),
  ...at("server/settlement/outages.ts", [
    [
      "a chain mismatch does not count as an attempt",
      "const outages = [ChainUnavailable, ChainMismatch, ",
      "const outages = [ChainUnavailable, ",
      "SET-30: a chain-id mismatch",
    ],
  ]),
]
