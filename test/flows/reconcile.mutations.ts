/** Removes the defences that reconcile.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/reconciliation.ts", [
    [
      "a transfer without a row is a difference",
      "const strange = paid.filter((each) => !agrees(each.row, each))",
      "const strange: readonly Paid[] = []",
      "SET-45: names money",
    ],
    [
      "a paid row without its transfer is a difference",
      "const missing = proven.filter((row) => !agrees(row, byPlace.get(placeOf(row.evidence))))",
      "const missing: readonly Redemption[] = []",
      "SET-45: names a row",
    ],
  ]),
  ...at("server/core/invariants.ts", [
    ["totals are compared with the rows", "value !== unsettled,", "false,", "names every invariant"],
  ]),
]
