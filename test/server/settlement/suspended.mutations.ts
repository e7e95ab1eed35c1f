/** Removes the defences that suspended.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/verdict.ts", [
    [
      "a refusal needs two distinct blocks",
      "doubt && doubt.sinceBlock < blockNumber",
      "doubt && doubt.sinceBlock <= blockNumber",
      "SET-52: a pause of one block",
    ],
  ]),
  ...at("server/settlement/confirm.ts", [
    [
      "a suspended payment counts at confirmation depth only",
      'else if (row.state !== "suspended") moves.push',
      "else moves.push",
      "stays suspended in a block that is not deep enough",
    ],
  ]),
  ...at("server/stores/verbs/settlement.ts", [
    [
      "suspended payments leave room for new ones",
      " AND state <> 'suspended'",
      "",
      "leaves room for new payments",
    ],
  ]),
  ...at("server/settlement/examine.ts", [
    [
      "a transfer that no node simulates is suspended",
      "if (!(error instanceof RequestRefused) || !isPlain) throw error",
      "throw error",
      "a transfer that no node simulates",
    ],
  ]),
]
