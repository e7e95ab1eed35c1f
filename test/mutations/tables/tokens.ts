/** Access tokens, receipts and the keys that sign them. */
import { at, type Mutation } from "../mutation.ts"

const gate = "test/server/gate/gate.test.ts"
const keys = "test/server/keys/keys.test.ts"

export const tokens: readonly Mutation[] = [
  ...at("server/gate/gate.ts", [
    [
      "trust at every look",
      " || !keys.isTrusted(known.kid)",
      "",
      "test/flows/keys.test.ts",
      "TOK-26: refuse what a removed key signed",
    ],
    [
      "age of the keys",
      'if (keyFeed.age() > feedMaximumSeconds) return refuse("gate_unavailable")',
      "",
      gate,
      "TOK-26",
    ],
    ["rate of a token", "if (isTooMuch(known, at))", "if (false)", gate, "TOK-17"],
    [
      "cache key of the exact bytes",
      'createHash("sha256").update(token).digest("base64url")',
      'createHash("sha256").update(token.slice(0, token.lastIndexOf("."))).digest("base64url")',
      gate,
      "a warm cache changes no verdict",
    ],
    [
      "expiry at every look",
      'if (isExpired(claims, at)) return refuse("token_expired")',
      "",
      gate,
      "a warm cache changes no verdict",
    ],
    [
      "revocation",
      'if (ended === "settlement_failed") return refuse("settlement_failed")',
      'if (ended === "settlement_failed") return { kind: "pass", claims }',
      gate,
      "TOK-21",
    ],
    [
      "age of the revocation feed",
      'if (!claims.settled && revocations.age() > feedMaximumSeconds) return refuse("gate_unavailable")',
      "",
      gate,
      "TOK-22",
    ],
    ["one Authorization header", "more.length > 0 || ", "", gate, "N-6750-1, HTP-08"],
  ]),
  ...at("shared/oauth/access-token.ts", [
    ["audience", " && claims.aud === resource", "", gate, "TOK-18"],
    ["issuer", "claims.iss === issuer && ", "", gate, "TOK-18"],
    [
      "whole match of scopes",
      'granted.split(" ").includes(wanted)',
      "granted.includes(wanted)",
      gate,
      "TOK-20",
    ],
  ]),
  ...at("shared/oauth/jws.ts", [
    [
      "low s of tokens",
      'return alg !== "ES256" || lowerHalf(signature) <= curveOrder / 2n',
      "return true",
      gate,
      "one token has one spelling",
    ],
    ["no spare bits", "{85}[AQgw]$/", "{86}$/", gate, "one token has one spelling"],
  ]),
  ...at("server/keys/index.ts", [
    [
      "exact token header",
      'held.byHeader.get(token.slice(0, token.indexOf(".")))',
      "[...held.byHeader.values()][0]",
      gate,
      "TOK-12: what our own key signed",
    ],
    [
      "a key that is gone signs for nothing",
      "if (!found || !isAlive(found.key)) return undefined",
      "if (!found) return undefined",
      keys,
      "TOK-24",
    ],
    [
      "a removed key is not trusted",
      "return found !== undefined && isAlive(found.key)",
      "return true",
      keys,
      "TOK-26",
    ],
    ["nothing outlives its key", " || until > end)", ")", keys, "lets the old one finish while both run"],
  ]),
  ...at("server/keys/signing-key.ts", [
    [
      "a signer outside is checked",
      "if (outside && !(await check(token)))",
      "if (false)",
      keys,
      "that is away, slow or wrong",
    ],
    ["no byte order mark before claims", "ignoreBOM: true", "ignoreBOM: false", keys, "N-8725-7"],
  ]),
  ...at("client/verifier/receipt.ts", [
    ["type of a receipt", " || typ !== receiptType", "", "test/flows/receipt.test.ts", "N-8725-6"],
    [
      "issuer of a receipt",
      "if (content.iss !== issuer) throw",
      "if (false) throw",
      "test/flows/receipt.test.ts",
      "is refused when it was changed",
    ],
    [
      "algorithm of a receipt's key",
      "if (jwk.alg !== alg || !algorithms.has(alg)) throw",
      "if (false) throw",
      "test/flows/receipt.test.ts",
      "is refused when it was changed",
    ],
  ]),
  ...at("server/access/receipt.ts", [
    [
      "no receipt before the money is in",
      "payments.filter(({ state }) => isSettled(state))",
      "payments",
      "test/server/access/receipt.test.ts",
      "is taken back with the block",
    ],
  ]),
  ...at("server/keys/external-signer.ts", [
    [
      "a removed key stays out",
      "if (ring.removed.some(({ id }) => id === signer.id))",
      "if (false)",
      keys,
      "is possible there and back",
    ],
  ]),
  ...at("server/keys/ring-file.ts", [
    [
      "of two changes one",
      "if (newest !== number) {",
      "if (false) {",
      keys,
      "on a ring that was replaced twice",
    ],
  ]),
  ...at("server/core/key-ring.ts", [
    [
      "a retiring key is accepted",
      'return now < key.retiredAt + overlapSeconds ? "retiring" : "gone"',
      'return "gone"',
      keys,
      "TOK-24",
    ],
    [
      "published before it signs",
      "Math.max(now, heir.publishedAt + settleSeconds)), make()]",
      "now), make()]",
      keys,
      "KEY-05",
    ],
  ]),
  ...at("server/grants/payment/index.ts", [
    [
      "no payment for a token that cannot be signed",
      "deps.keys.check()",
      "",
      "test/flows/keys.test.ts",
      "loses no payment when the signer fails",
    ],
  ]),
  ...at("server/keys/files.ts", [
    [
      "mode of key files",
      "if ((mode & ~wanted) === 0) return",
      "return",
      keys,
      "is refused when others can read a file",
    ],
    ["O_NOFOLLOW", " | constants.O_NOFOLLOW", "", keys, "is refused when others can read a file"],
  ]),
]
