/** Removes the defences that handle-gate.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/handle-gate.ts", [
    ["OPTIONS reaches no handler", 'if (cors && method === "OPTIONS")', "if (false)", "OPTIONS at a route"],
    ["TRACE returns no token", 'if (method === "TRACE")', "if (false)", "TRACE is answered"],
    ["a 405 of the gate lists the methods", ", allow: gatedMethods }", " }", "TRACE is answered"],
    ["one Host", "if (hosts > 1)", "if (false)", "two Host fields"],
    [
      "a token in a query is seen in every spelling",
      'new URLSearchParams(query).has("access_token")',
      'query.startsWith("access_token=")',
      "every spelling of access_token",
    ],
    ["a gate that fails stays shut", 'log.error({ err: error }, "the gate failed")', "throw error", "HTP-25"],
  ]),
  ...at("server/gate/raw-headers.ts", [
    [
      "no Authorization is dropped",
      "fields.authorization.push(value)",
      "fields.authorization[0] = value",
      "every value of a doubled header",
    ],
  ]),
]
