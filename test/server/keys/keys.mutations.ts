/** Removes the defences that keys.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/keys/token-keys.ts", [
    [
      "an expired key verifies nothing",
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
    ["no token outlives its key", " || until > end)", ")", "lets the old signer finish"],
  ]),
  ...at("server/keys/signing-key.ts", [
    [
      "an external signer's signature is checked",
      "if (external && !(await check(token)))",
      "if (false)",
      "fails with SignerUnavailable",
    ],
    ["no byte order mark before claims", "ignoreBOM: true", "ignoreBOM: false", "N-8725-7"],
  ]),
  ...at("server/keys/external-signer.ts", [
    [
      "a removed key cannot return",
      "if (ring.removed.some(({ id }) => id === signer.id))",
      "if (false)",
      "works back and forth",
    ],
  ]),
  ...at("server/keys/ring-file.ts", [
    [
      "one of two concurrent ring changes wins",
      "if (newest !== number) {",
      "if (false) {",
      "repeats a change on the newest",
    ],
  ]),
  ...at("server/core/key-ring.ts", [
    [
      "a retiring key is accepted",
      'return now < key.retiredAt + overlapSeconds ? "retiring" : "gone"',
      'return "gone"',
      "TOK-24",
    ],
    [
      "a key is published before it signs",
      "Math.max(now, heir.publishedAt + settleSeconds)), make()]",
      "now), make()]",
      "KEY-05",
    ],
  ]),
  ...at("server/keys/files.ts", [
    [
      "key files have mode 0600",
      "if ((mode & ~wanted) === 0) return",
      "return",
      "KEY-01: is refused when others",
    ],
    ["O_NOFOLLOW", " | constants.O_NOFOLLOW", "", "KEY-01: is refused when others"],
  ]),
]
