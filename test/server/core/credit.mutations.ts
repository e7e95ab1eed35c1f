/** Removes the defences that credit.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/credit.ts", [
    [
      "the credit is the smaller of the unused shares of time and units",
      "if (byUse < byTime) return byUse",
      "",
      "is the smaller unused",
    ],
  ]),
  ...at("server/core/units.ts", [
    [
      "units held by gates count as used when the offer changes",
      "writtenOff({ given, left, held: 0, spent: spent + held })",
      "({ given, left, held, spent })",
      "counts units held by gates",
    ],
  ]),
]
