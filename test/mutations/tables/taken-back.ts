/** What was revoked stays revoked, at every gate. */
import { at, type Mutation } from "../mutation.ts"

const store = "test/contracts/store.test.ts"
const revocation = "test/flows/revocation.test.ts"
const proxies = "test/flows/proxies.test.ts"
const verifier = "test/client/verifier/verify.test.ts"

export const takenBack: readonly Mutation[] = [
  ...at("shared/oauth/revocation.ts", [
    [
      "rules of the list",
      "tokens.has(jti) || rules.some(",
      "tokens.has(jti) || [].some(",
      verifier,
      "no rule ever",
    ],
    ["tokens of the list", "tokens.has(jti) || rules.some(", "rules.some(", verifier, "TOK-21, N-7009-1"],
  ]),
  ...at("server/access/introspection.ts", [
    [
      "introspection for those who may ask",
      "if (!credentials || !isSecret(credentials.secret, secrets.get(credentials.id)))",
      "if (false)",
      revocation,
      "N-7662-1",
    ],
  ]),
  ...at("server/access/revocation.ts", [
    [
      "a client's token is the client's",
      "if (isClients(found.grant) && credentials?.id !== found.grant.subject)",
      "if (false)",
      revocation,
      "by that client only",
    ],
  ]),
  ...at("server/stores/sqlite/revocations.ts", [
    ["a rule is published", "records.publish(sequence, ruleOf(target, now), now)", "", store, "by one rule"],
  ]),
  ...at("server/stores/sqlite/whitelist.ts", [
    [
      "removal ends grants",
      'records.endGrantsOf(left, "delisted", at)',
      "",
      store,
      "WL-09: what left the whitelist",
    ],
  ]),
  ...at("server/http/router.ts", [
    [
      "routes by the path as it was sent",
      "const route = routeOf(caller.path)",
      "const route = routeOf(new URL(request.url).pathname)",
      proxies,
      "HTP-01, HTP-02",
    ],
  ]),
  ...at("server/http/forward-auth.ts", [
    [
      "a refusal is never a success",
      'if (form === "refusal") return',
      "if (false) return",
      proxies,
      "says 200 or 401 and nothing else",
    ],
  ]),
  ...at("client/verifier/verify.ts", [
    ["age of the list", "return !isFinal && news.age() > staleSeconds", "return false", verifier, "TOK-22"],
  ]),
  ...at("client/verifier/issuer-keys.ts", [
    ["keys asked for now and then", "if (now() < askedAt + keySeconds) return", "", verifier, "TOK-25"],
    ["removed keys", "!removed.has(kid) &&", "", verifier, "TOK-26"],
  ]),
  ...at("client/verifier/issuer-news.ts", [
    ["the issuer's own origin", "url.origin !== new URL(issuer).origin || ", "", verifier, "goes nowhere"],
  ]),
]
