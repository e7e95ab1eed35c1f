/** Removes the defences that gate.test.ts guards. */
import { at, type Mutation } from "../../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/adapters/express/routes.ts", [
    [
      "a cost comes from patterns, not from the request",
      "steps.map(({ matched }) => textOf(matched.pattern))",
      "steps.map(({ matched }) => matched.path)",
      "comes from the layers",
    ],
  ]),
  ...at("server/adapters/express/routes-of-4.ts", [
    [
      "no cost from a router without patterns",
      '!stackOf(app).some((layer) => "rawPath" in layer)',
      "false",
      "matches the route alone",
    ],
  ]),
  ...at("server/gate/route-costs.ts", [
    [
      "no cheaper path to a dear route",
      "dearest(matched) || dearest(all) || 1",
      "dearest(matched) || 1",
      "a list of paths with one cost",
    ],
  ]),
  ...at("server/adapters/express/mounted.ts", [
    [
      "no cost without a route",
      'if (problems.length > 0) throw new Error(problems.join("; "))',
      "",
      "fits no route",
    ],
  ]),
  ...at("server/adapters/express/gate.ts", [
    [
      "an unknown cost keeps the gate shut",
      "if (!route) throw",
      "if (!route) return 1\n    if (!route) throw",
      "finds no route",
    ],
  ]),
  ...at("server/gate/gate-options.ts", [
    ["no gate for an unknown scope", "|| !scopes.includes(scope)", "", "an unknown scope"],
    [
      "no unknown option of a gate",
      "if (unknown !== undefined) throw",
      "if (false) throw",
      "an unknown option",
    ],
    ["no gate for a promise", "if (issuer instanceof Promise)", "if (false)", "a promise"],
  ]),
]
