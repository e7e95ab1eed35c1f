/** Removes the defences that cluster.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/units.ts", [
    ["no idle units beside other instances", "if (!isAlone) return", "if (false) return", "MI-11"],
  ]),
]
