/** Removes the defences that whitelist.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/whitelist.ts", [
    [
      "a returning entry revives no earlier grant",
      " && entry.listedAt <= issuedAt",
      "",
      "WL-09: covers grants",
    ],
  ]),
]
