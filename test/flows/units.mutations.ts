/** Removes the defences that units.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/handle-gate.ts", [
    ["an answer of 5xx costs nothing", "status !== undefined && status >= 500", "false", "TOK-33"],
  ]),
  ...at("client/wire/read-challenge.ts", [
    [
      "a used-up grant is bought again, not refreshed",
      ' || error === "token_exhausted"',
      "",
      "is bought again by a client",
    ],
  ]),
  ...at("server/gate/gate.ts", [
    ["metered calls are counted", "if (!claims.metered) return", "if (claims) return", "TOK-32"],
  ]),
]
