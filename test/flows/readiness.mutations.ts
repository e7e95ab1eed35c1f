/** Removes the defences that readiness.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/feeds/sale-check.ts", [
    [
      "no readiness without the reads of a sale",
      "await Promise.all(reads)",
      "await Promise.allSettled(reads)",
      "follows whether a node answers",
    ],
    ["probes share one question", "? 1 : goodForSeconds", "? 0 : 0", "asks the nodes once"],
  ]),
  ...at("server/http/health.ts", [
    [
      "no readiness with a useless clock",
      "&& !isDisabling(deps.clockSkew())",
      "",
      "shows a clock that is off",
    ],
  ]),
  ...at("server/ports/thread-module.ts", [
    ["no start without a thread", "if (!existsSync(compiled))", "if (false)", "exits with 78 and names it"],
  ]),
]
