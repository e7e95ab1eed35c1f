/** Removes the defences that batch.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/send.ts", [
    [
      "gas has a minimum whatever the node estimates",
      "most((gas * 13n) / 10n, limits.minGas)",
      "(gas * 13n) / 10n",
      "SET-29: a node's absurdly",
    ],
    [
      "a batch fits the relayer's balance",
      "const gas = least(open.map((lane) => lane.affordable).reduce(most, 0n), limits.maxBatchGas)",
      "const gas = limits.maxBatchGas",
      "ask for no more gas than",
    ],
  ]),
  ...at("server/settlement/limits.ts", [
    [
      "the least gas pays for the first payment to a new payTo",
      "minGas: 120_000n",
      "minGas: 100_000n",
      "SET-29: a node's absurdly",
    ],
  ]),
  ...at("server/settlement/confirm.ts", [
    [
      "the gas of mined transactions is learnt",
      "onMined?.(receipt.gasUsed, riding.length)",
      "{}",
      "SET-20: settle fifty",
    ],
  ]),
  ...at("server/settlement/batch.ts", [
    [
      "a failed payment is retried alone",
      'row.state !== "failed" && row.attempts === 0 &&',
      'row.state !== "failed" &&',
      "are settled although",
    ],
    [
      "no payer with code in a batch",
      "if (!(await chain.hasCode(one.row.transfer.payer))) plain.add(one)",
      "plain.add(one)",
      "SET-25: a payer that got",
    ],
    [
      "halving",
      "if (by.capsEach || (await goesThrough(by, whole))) return [whole]",
      "return [whole]",
      "a batch with a failing",
    ],
  ]),
]
