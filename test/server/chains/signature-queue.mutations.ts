/** Removes the defences that signature-queue.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/signature-queue.ts", [
    [
      "checks leave room for other requests",
      "splice(0, checksPerTurn)",
      "splice(0)",
      "a turn of the event loop",
    ],
    [
      "the queue of checks is bounded",
      "if (waiting.length >= mostWaiting)",
      "if (false)",
      "are refused at once",
    ],
  ]),
]
