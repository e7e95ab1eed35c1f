/** Removes the defences that units.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/handle-gate.ts", [
    ["5xx is free of charge", "status !== undefined && isFailed(status)", "false", "TOK-33"],
  ]),
  ...at("client/wire/read-challenge.ts", [
    [
      "a used-up grant is not refreshed but bought anew",
      ' || error === "token_exhausted"',
      "",
      "sells the next grant",
    ],
  ]),
  ...at("server/gate/gate.ts", [
    ["counted calls are counted", "if (!claims.metered) return", "if (claims) return", "TOK-32"],
  ]),
]
