/** Removes the rules that revenue.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = at("server/core/revenue.ts", [
  ["an ended grant has nothing left to earn", "if (grant.ended) return 0n", "", "an ended grant"],
  ["a free sale counts nowhere", 'if (state === "free")', "if (state === null)", "a free one counts nowhere"],
  [
    "a payment earns at most its price",
    "unearned < nominal ? unearned : nominal",
    "unearned",
    "over a top-up",
  ],
])
