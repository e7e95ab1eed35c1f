/** Removes the defences that metering.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/units.ts", [
    ["no slice above the units left", "if (left < cost) return 0", "", "exactly as many"],
  ]),
  ...at("server/gate/metering.ts", [
    ["no call without units", "current.available >= cost", "current.available >= 0", "TOK-32"],
    [
      "a failed call returns its units",
      'if (outcome === "kept") held.spent += cost',
      "if (outcome) held.spent += cost",
      "TOK-33",
    ],
  ]),
]
