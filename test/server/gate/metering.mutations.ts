/** Removes the defences that metering.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/units.ts", [
    ["no slice above the units left", "if (left < cost) return 0", "", "exactly as many"],
  ]),
  ...at("server/gate/account.ts", [
    ["no call without units", "held.available < cost", "held.available < 0", "TOK-32"],
    ["a failed call returns its units", 'if (outcome === "kept") {', "if (outcome) {", "TOK-33"],
  ]),
]
