/** Removes the defences that key-ring.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/stores/verbs/key-ring.ts", [
    ["a ring replaces the version that was read", " WHERE number = :known", "", "loses none of many"],
  ]),
  ...at("server/keys/ring-changes.ts", [
    [
      "a removal keeps the id of the ring",
      "    ...ring,\n    access: own ?",
      "    access: own ?",
      "keeps its id",
    ],
  ]),
]
