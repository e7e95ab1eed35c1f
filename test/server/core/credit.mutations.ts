/** Removes the defences that credit.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/credit.ts", [
    [
      "credit is the share that the limit which ends first leaves",
      "if (byUse < byTime) return byUse",
      "",
      "the share of what was paid",
    ],
  ]),
  ...at("server/core/units.ts", [
    [
      "what gates hold of one offer never comes back as another's",
      "writtenOff({ given, left, held: 0, spent: spent + held })",
      "({ given, left, held, spent })",
      "counts as used what gates hold",
    ],
  ]),
]
