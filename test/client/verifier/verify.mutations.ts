/** Removes the defences that verify.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("shared/oauth/revocation.ts", [
    [
      "rules of the revocation list",
      "tokens.has(jti) || rules.some(",
      "tokens.has(jti) || [].some(",
      "a revocation rule refuses",
    ],
    ["tokens of the revocation list", "tokens.has(jti) || rules.some(", "rules.some(", "TOK-21, N-7009-1"],
  ]),
  ...at("client/verifier/verify.ts", [
    [
      "age of the revocation list",
      "const isStale = issuerState.age() > staleSeconds",
      "const isStale = false",
      "TOK-22",
    ],
  ]),
  ...at("shared/oauth/token-check.ts", [
    [
      "verifier: an unbound token is no DPoP token",
      'if (!isBound && scheme === "dpop")',
      "if (false)",
      "shown as DPoP like",
    ],
  ]),
  ...at("client/verifier/issuer-keys.ts", [
    ["the key set is fetched at intervals", "if (now() < askedAt + keySeconds) return", "", "TOK-25"],
    ["removed keys are not trusted", "!removed.has(kid) &&", "", "TOK-26"],
  ]),
  ...at("client/verifier/issuer-state.ts", [
    [
      "a reader of other books starts anew",
      "list.generation === generation ? cursor : 0",
      "cursor",
      "starts the revocation list anew",
    ],
    ["the issuer's own origin", "url.origin !== new URL(issuer).origin || ", "", "calls only the issuer's"],
  ]),
  ...at("server/http/revocations.ts", [
    [
      "a cursor of other books is not used",
      "=== generation ? asked : 0",
      "=== generation ? asked : asked",
      "returns each revocation once",
    ],
  ]),
]
