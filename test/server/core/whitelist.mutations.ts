/** Removes the defences that whitelist.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/whitelist.ts", [
    ["nothing revives with an entry", " && entry.listedAt <= issuedAt", "", "not for what is older"],
  ]),
]
