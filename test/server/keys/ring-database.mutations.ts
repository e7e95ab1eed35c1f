/** Removes the defences that ring-database.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/keys/ring-database.ts", [
    [
      "a ring is bound to its version",
      "\\n${ringId}\\n${number}`",
      "\\n${ringId}`",
      "put in the place of a newer version",
    ],
    [
      "a ring is bound to its id",
      "\\n${ringId}\\n${number}`",
      "\\n${number}`",
      "put in the place of a newer version",
    ],
  ]),
  ...at("server/keys/encryption-keys.ts", [
    ["a key-encryption key is not guessable", "if (isGuessable(hex))", "if (false)", "guessable"],
    [
      "the key leaves the environment",
      "  delete environment[variable]\n",
      "",
      "comes from the environment, where it is deleted",
    ],
  ]),
  ...at("server/keys/key-maintenance.ts", [
    ["an import replaces no keys", "if (!isEmpty(found))", "if (false)", "takes over the keys of a folder"],
  ]),
]
