/** Removes the defences that identity.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/books/owner.ts", [
    [
      "books of another issuer",
      "if (known && known.issuer !== issuer)",
      "if (false)",
      "service of another issuer",
    ],
    ["books of other keys", "if (known && known.ring !== ring)", "if (false)", "process with other keys"],
  ]),
  ...at("server/core/grant.ts", [
    [
      "a grant belongs to its resource",
      "resource === null || resources.includes(resource)",
      "resource === null || resources.length > 0",
      "TOK-34",
    ],
  ]),
  ...at("server/stores/verbs/identity.ts", [
    [
      "a changed payTo is booked",
      "if (known && known.payTo !== service.payTo)",
      "if (false)",
      "log and book a start",
    ],
    ["a start renews the generation", ", generation = :generation", "", "at every start"],
  ]),
]
