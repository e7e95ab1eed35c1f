/** Removes the defences that gate.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/gate.ts", [
    [
      "a whitelisted token needs a current entry",
      "whyDelisted: () => whyDelisted(claims, request.scope),",
      "whyDelisted: () => undefined,",
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
    [
      "requests per token are limited",
      "if (isTooMuch(known, at, options.requestsPerToken))",
      "if (false)",
      "TOK-17",
    ],
    [
      "a stale revocation feed is not trusted",
      "isStale: revocations.age() > feedMaximumSeconds",
      "isStale: false",
      "TOK-22",
    ],
  ]),
  ...at("server/gate/verified-tokens.ts", [
    [
      "the cache key covers the exact bytes",
      "verified.get(token)",
      '[...verified].find(([text]) => text.startsWith(token.slice(0, token.lastIndexOf("."))))?.[1]',
      "judges forgery, scope",
    ],
  ]),
  ...at("shared/oauth/token-check.ts", [
    [
      "expiry is checked at every hit",
      'if (isExpired(claims, now)) return "token_expired"',
      "",
      "judges forgery, scope",
    ],
    ["revocation", "if (ended !== undefined) return refusalOf[ended]", "", "TOK-21"],
    ["one Authorization header", "more.length > 0 || ", "", "N-6750-1, HTP-08"],
  ]),
  ...at("shared/oauth/access-token.ts", [
    [
      "a clock behind is no bad token",
      "claims.iat > now + clockLeewaySeconds",
      "claims.iat > now",
      "TOK-10: accepts",
    ],
    ["audience", " && resources.includes(claims.aud)", "", "TOK-18"],
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
  ...at("server/keys/token-keys.ts", [
    [
      "the token header is exact",
      'held().byHeader.get(token.slice(0, token.indexOf(".")))',
      "[...held().byHeader.values()][0]",
      "TOK-12: refuses tokens",
    ],
  ]),
]
