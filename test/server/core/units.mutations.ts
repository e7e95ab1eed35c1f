/** Removes the defences that units.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/units.ts", [
    [
      "no report of more units than were taken",
      " && spent + unused <= slice.units",
      "",
      "are not returned by a report",
    ],
  ]),
]
