/** Grants that holders derive for others. */
import { at, type Mutation } from "../mutation.ts"

const store = "test/contracts/store.test.ts"

export const derived: readonly Mutation[] = [
  ...at("server/core/derive.ts", [
    [
      "what was derived yields no further one",
      'if (parent.parent !== null) return refused("token_derived")',
      "",
      store,
      "yield no further ones",
    ],
    [
      "no scope is derived that the holder does not have",
      'if (!includesScope(parent.scope, scope)) return refused("invalid_scope")',
      "",
      store,
      "at most the scope, the units",
    ],
    [
      "a stolen access token yields none that outlives it",
      "request.shownUntil ?? parent.expiresAt,",
      "parent.expiresAt,",
      store,
      "at most the scope, the units",
    ],
    [
      "a bound token is derived from with its key only",
      'if (parent.keyThumbprint !== null && request.keyThumbprint !== parent.keyThumbprint)\n    return refused("dpop_key_mismatch")',
      "",
      store,
      "come only of what is shown whole",
    ],
    [
      "a bounded number an hour",
      "if (recent >= derivedPerHour)",
      "if (recent < 0)",
      store,
      "so many an hour",
    ],
  ]),
  ...at("shared/oauth/revocation.ts", [
    [
      "what was derived ends with its parent at every gate",
      "?? (parent === undefined ? undefined : grants.get(parent))",
      "",
      "test/flows/derive.test.ts",
      "ends with what it came from",
    ],
  ]),
  ...at("server/stores/sqlite/intake.ts", [
    [
      "a token that its grant has outgrown yields none of what the grant is now",
      "AND content ->> 'before' > :issuedAt",
      "AND content ->> 'before' > :issuedAt + 3600",
      store,
      "none of them yields a derived one",
    ],
  ]),
  ...at("server/grants/token-exchange.ts", [
    [
      "the token that is shown is named to the books",
      "shown: { jti: claims.jti, issuedAt: claims.iat }",
      "shown: null",
      "test/flows/top-up.test.ts",
      "its older tokens yield nothing",
    ],
  ]),
  ...at("server/stores/sqlite/units.ts", [
    [
      "a derived grant spends what its parent has",
      "return [own, parent].filter((grant) => grant !== null)",
      "return [own, parent].filter((grant) => grant !== null).slice(0, 1)",
      store,
      "spend what their parent has",
    ],
  ]),
]
