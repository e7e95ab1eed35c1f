/** Removes the defences that readiness.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/feeds/sale-check.ts", [
    [
      "no readiness without the reads of a sale",
      "await Promise.all([...reads, chain.canSettle()])",
      "await Promise.all([chain.canSettle()])",
      "follows whether a node answers",
    ],
    [
      "no readiness without the requests of a settlement",
      "await Promise.all([...reads, chain.canSettle()])",
      "await Promise.all(reads)",
      "ends while no node takes",
    ],
    ["probes share one question", "? 1 : goodForSeconds", "? 0 : 0", "asks the nodes once"],
  ]),
  ...at("server/chains/settlement-methods.ts", [
    [
      "a refused method is no fault of the node",
      "error instanceof HttpFailed && forbiddenStatuses.has(error.status)",
      "false",
      "leaves a read-only node",
    ],
    [
      "a refusal of the bytes shows the method",
      "if (!isRefusal(error)) throw error",
      "throw error",
      "follows whether a node answers",
    ],
  ]),
  ...at("server/http/health.ts", [
    ["no readiness with a useless clock", " && !isDisabling(skew)", "", "shows a clock that is off"],
  ]),
  ...at("server/ports/thread-module.ts", [
    ["no start without a thread", "if (!existsSync(compiled))", "if (false)", "exits with 78 and names it"],
  ]),
]
