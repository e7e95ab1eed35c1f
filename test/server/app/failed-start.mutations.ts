/** Removes the defences that failed-start.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/app/books.ts", [
    [
      "a failed start closes the store",
      "own(store, { stop: store.close })",
      "store",
      "leaves nothing open after",
    ],
    [
      "the wait for the chain leaves no timer",
      "waited.abort()",
      "",
      "holds no thread, timer, socket, file or lock",
    ],
  ]),
]
