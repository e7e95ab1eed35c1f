/** Removes the defences that old-file.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/node/verbs.ts", [
    [
      "the lock of a payment in an old file",
      "return { ...rest, lock: claim }",
      "return { ...rest, lock: rest.lock }",
      "of an old file is taken over",
    ],
  ]),
]
