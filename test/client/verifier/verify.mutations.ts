/** Removes the defences that verify.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("shared/oauth/revocation.ts", [
    ["rules of the list", "tokens.has(jti) || rules.some(", "tokens.has(jti) || [].some(", "no rule ever"],
    ["tokens of the list", "tokens.has(jti) || rules.some(", "rules.some(", "TOK-21, N-7009-1"],
  ]),
  ...at("client/verifier/verify.ts", [
    ["age of the list", "return !isFinal && issuerState.age() > staleSeconds", "return false", "TOK-22"],
  ]),
  ...at("client/verifier/issuer-keys.ts", [
    ["keys asked for now and then", "if (now() < askedAt + keySeconds) return", "", "TOK-25"],
    ["removed keys", "!removed.has(kid) &&", "", "TOK-26"],
  ]),
  ...at("client/verifier/issuer-state.ts", [
    ["the issuer's own origin", "url.origin !== new URL(issuer).origin || ", "", "goes nowhere"],
  ]),
]
