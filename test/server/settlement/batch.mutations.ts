/** Removes the defences that batch.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/send.ts", [
    [
      "gas whatever the node says",
      "most((gas * 13n) / 10n, limits.minGas)",
      "(gas * 13n) / 10n",
      "hardly any gas is needed",
    ],
    [
      "a batch within the relayer's balance",
      "const gas = least(open.map((lane) => lane.affordable).reduce(most, 0n), limits.maxBatchGas)",
      "const gas = limits.maxBatchGas",
      "no more gas than the relayer can vouch for",
    ],
  ]),
  ...at("server/settlement/batch.ts", [
    [
      "alone after a failure",
      'row.state === "accepted" && row.attempts === 0 &&',
      'row.state === "accepted" &&',
      "a payment that failed inside is tried alone",
    ],
    [
      "no payer with code in a batch",
      "if (!(await chain.hasCode(one.row.transfer.payer))) plain.add(one)",
      "plain.add(one)",
      "a payer who got code after its simulation",
    ],
    [
      "halving",
      "if (by.capsEach || (await goesThrough(by, whole))) return [whole]",
      "return [whole]",
      "is halved until it goes through",
    ],
  ]),
]
