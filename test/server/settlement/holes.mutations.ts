/** Removes the defences that holes.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/finality.ts", [
    [
      "a payment in a block that stays missing is sent again",
      "return isLost ? void lost.push(row) : undefined",
      "return",
      "outlasts finality",
    ],
    [
      "a settled payment in a hole is final only by evidence",
      "canonical === null ? await provenOf(rows, block) : rows",
      "rows",
      "makes a settled payment final only",
    ],
  ]),
  ...at("server/settlement/holes.ts", [
    [
      "a missing block is logged",
      'log.error({ network, block: blockNumber.toString() }, "no node has the block of a payment")',
      "",
      "is logged at once and once",
    ],
    [
      "a receipt must name the block that its hash finds",
      "return receipt !== null && paidBy(receipt, row)?.blockHash === evidence.blockHash",
      "return true",
      "by the block's hash and a receipt",
    ],
  ]),
  ...at("server/chains/nodes.ts", [
    [
      "another node is asked for a missing block",
      "return askOne(what, question, by).then(",
      "return Promise.resolve({ reading }).then(",
      "is bridged by another node",
    ],
  ]),
]
