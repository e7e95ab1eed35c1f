/** Removes the defences that log-reader.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/log-reader.ts", [
    ["a range of logs that is refused is halved", "blocks /= 2n", "throw error", "are read whole"],
    [
      "a node's limit of logs is remembered",
      "      range.blocks = length\n",
      "",
      "are asked for in short ranges from then on",
    ],
    [
      "ranges of logs grow again",
      "range.blocks = least(range.blocks * 2n, mostBlocks)",
      "",
      "are asked for in longer ranges again",
    ],
    [
      "a busy node is not asked for shorter ranges",
      "!otherStatuses.has(status)",
      "true",
      "are not asked for again and again",
    ],
  ]),
]
