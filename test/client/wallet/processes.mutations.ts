/** Removes the defences that processes.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/node/private-file.ts", [
    [
      "the client's file is private to its owner",
      "if ((mode & 0o177) === 0) return undefined",
      "if (mode) return undefined",
      "is private to its owner",
    ],
  ]),
]
