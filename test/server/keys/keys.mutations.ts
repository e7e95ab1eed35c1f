/** Removes the defences that keys.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/keys/index.ts", [
    [
      "a key that is gone signs for nothing",
      "if (!found || !isAlive(found.key)) return undefined",
      "if (!found) return undefined",
      "TOK-24",
    ],
    [
      "a removed key is not trusted",
      "return found !== undefined && isAlive(found.key)",
      "return true",
      "TOK-26",
    ],
    ["nothing outlives its key", " || until > end)", ")", "lets the old one finish while both run"],
  ]),
  ...at("server/keys/signing-key.ts", [
    [
      "a signer outside is checked",
      "if (external && !(await check(token)))",
      "if (false)",
      "that is away, slow or wrong",
    ],
    ["no byte order mark before claims", "ignoreBOM: true", "ignoreBOM: false", "N-8725-7"],
  ]),
  ...at("server/keys/external-signer.ts", [
    [
      "a removed key stays out",
      "if (ring.removed.some(({ id }) => id === signer.id))",
      "if (false)",
      "is possible there and back",
    ],
  ]),
  ...at("server/keys/ring-file.ts", [
    ["of two changes one", "if (newest !== number) {", "if (false) {", "on a ring that was replaced twice"],
  ]),
  ...at("server/core/key-ring.ts", [
    [
      "a retiring key is accepted",
      'return now < key.retiredAt + overlapSeconds ? "retiring" : "gone"',
      'return "gone"',
      "TOK-24",
    ],
    [
      "published before it signs",
      "Math.max(now, heir.publishedAt + settleSeconds)), make()]",
      "now), make()]",
      "KEY-05",
    ],
  ]),
  ...at("server/keys/files.ts", [
    [
      "mode of key files",
      "if ((mode & ~wanted) === 0) return",
      "return",
      "is refused when others can read a file",
    ],
    ["O_NOFOLLOW", " | constants.O_NOFOLLOW", "", "is refused when others can read a file"],
  ]),
]
