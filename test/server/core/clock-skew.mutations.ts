/** Removes the defences that clock-skew.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/clock-skew.ts", [
    [
      "a slow chain is no wrong clock",
      "age - unseen - blockSeconds",
      "age - blockSeconds",
      "blocks come now and then",
    ],
    ["a clock behind is seen", "skew: age < 0 ? age : ahead", "skew: ahead", "of a clock behind or ahead"],
  ]),
]
