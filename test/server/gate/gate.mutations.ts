/** Removes the defences that gate.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/gate.ts", [
    [
      "a whitelisted token needs a current entry",
      "const delisted = claims.paid ? undefined : whyDelisted(claims, request.scope)",
      "const delisted = claims.paid ? undefined : undefined",
      "WL-09",
    ],
    [
      "a stale whitelist is not trusted",
      'if (whitelist.age() > feedMaximumSeconds) return "gate_unavailable"',
      "",
      "answers gate_unavailable with a list",
    ],
    [
      "stale keys are not trusted",
      'if (keyFeed.age() > feedMaximumSeconds) return refuse("gate_unavailable")',
      "",
      "TOK-26",
    ],
    ["requests per token are limited", "if (isTooMuch(known, at))", "if (false)", "TOK-17"],
    [
      "the cache key covers the exact bytes",
      'createHash("sha256").update(token).digest("base64url")',
      'createHash("sha256").update(token.slice(0, token.lastIndexOf("."))).digest("base64url")',
      "judges forgery, scope",
    ],
    [
      "expiry is checked at every hit",
      'if (isExpired(claims, at)) return refuse("token_expired")',
      "",
      "judges forgery, scope",
    ],
    [
      "revocation",
      'if (ended === "settlement_failed") return refuse("settlement_failed")',
      'if (ended === "settlement_failed") return { kind: "pass", claims }',
      "TOK-21",
    ],
    [
      "a stale revocation feed is not trusted",
      'if (!claims.settled && revocations.age() > feedMaximumSeconds) return refuse("gate_unavailable")',
      "",
      "TOK-22",
    ],
    ["one Authorization header", "more.length > 0 || ", "", "N-6750-1, HTP-08"],
  ]),
  ...at("shared/oauth/access-token.ts", [
    ["audience", " && claims.aud === resource", "", "TOK-18"],
    ["issuer", "claims.iss === issuer && ", "", "TOK-18"],
    ["scopes are matched whole", 'granted.split(" ").includes(wanted)', "granted.includes(wanted)", "TOK-20"],
  ]),
  ...at("shared/oauth/jws.ts", [
    [
      "tokens have a low s",
      'return alg !== "ES256" || lowerHalf(signature) <= curveOrder / 2n',
      "return true",
      "refuses padding, spare",
    ],
    ["signatures have no spare bits", "{85}[AQgw]$/", "{86}$/", "refuses padding, spare"],
  ]),
  ...at("server/keys/index.ts", [
    [
      "the token header is exact",
      'held.byHeader.get(token.slice(0, token.indexOf(".")))',
      "[...held.byHeader.values()][0]",
      "TOK-12: refuses tokens",
    ],
  ]),
]
