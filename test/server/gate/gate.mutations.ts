/** Removes the defences that gate.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/gate.ts", [
    [
      "whitelist while it lasts",
      "const delisted = claims.paid ? undefined : whyDelisted(claims, request.scope)",
      "const delisted = claims.paid ? undefined : undefined",
      "WL-09",
    ],
    [
      "age of the whitelist",
      'if (whitelist.age() > feedMaximumSeconds) return "gate_unavailable"',
      "",
      "cannot tell with a list older",
    ],
    [
      "age of the keys",
      'if (keyFeed.age() > feedMaximumSeconds) return refuse("gate_unavailable")',
      "",
      "TOK-26",
    ],
    ["rate of a token", "if (isTooMuch(known, at))", "if (false)", "TOK-17"],
    [
      "cache key of the exact bytes",
      'createHash("sha256").update(token).digest("base64url")',
      'createHash("sha256").update(token.slice(0, token.lastIndexOf("."))).digest("base64url")',
      "a warm cache changes no verdict",
    ],
    [
      "expiry at every look",
      'if (isExpired(claims, at)) return refuse("token_expired")',
      "",
      "a warm cache changes no verdict",
    ],
    [
      "revocation",
      'if (ended === "settlement_failed") return refuse("settlement_failed")',
      'if (ended === "settlement_failed") return { kind: "pass", claims }',
      "TOK-21",
    ],
    [
      "age of the revocation feed",
      'if (!claims.settled && revocations.age() > feedMaximumSeconds) return refuse("gate_unavailable")',
      "",
      "TOK-22",
    ],
    ["one Authorization header", "more.length > 0 || ", "", "N-6750-1, HTP-08"],
  ]),
  ...at("shared/oauth/access-token.ts", [
    ["audience", " && claims.aud === resource", "", "TOK-18"],
    ["issuer", "claims.iss === issuer && ", "", "TOK-18"],
    ["whole match of scopes", 'granted.split(" ").includes(wanted)', "granted.includes(wanted)", "TOK-20"],
  ]),
  ...at("shared/oauth/jws.ts", [
    [
      "low s of tokens",
      'return alg !== "ES256" || lowerHalf(signature) <= curveOrder / 2n',
      "return true",
      "one token has one spelling",
    ],
    ["no spare bits", "{85}[AQgw]$/", "{86}$/", "one token has one spelling"],
  ]),
  ...at("server/keys/index.ts", [
    [
      "exact token header",
      'held.byHeader.get(token.slice(0, token.indexOf(".")))',
      "[...held.byHeader.values()][0]",
      "TOK-12: what our own key signed",
    ],
  ]),
]
