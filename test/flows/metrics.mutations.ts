/** Removes what metrics.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/metrics/figures.ts", [
    [
      "money that is not settled is no revenue",
      "value: isSettled(state) ? value : 0n",
      "value",
      "show money that equals",
    ],
    [
      "only failed and suspended payments are losses",
      'const isLost = policy === "background" && lostStates.includes(state)',
      'const isLost = policy === "background"',
      "show money that equals",
    ],
  ]),
  ...at("server/metrics/observed-store.ts", [
    [
      "sales count",
      'if (outcome.kind === "redeemed") countSale(outcome, saleOf(outcome))',
      "",
      "count purchases",
    ],
  ]),
  ...at("server/metrics/observed-sales.ts", [
    ["refused payments count", "count(reasonOf(error))", "", "count purchases"],
    [
      "repeated payments count",
      'if (answer.kind === "issued" && answer.replayed) count("repeated")',
      "",
      "count purchases",
    ],
  ]),
  ...at("server/settlement/conclude.ts", [
    [
      "failed settlements count",
      'isOutcome(move.to) && !(move.to === "suspended" && hints.suspended.has(key))',
      'move.to === "paid"',
      "count settlements",
    ],
  ]),
  ...at("server/gate/handle-gate.ts", [
    ["passed calls count", "tally?.passed(outcome.claims)", "", "count calls of gated routes"],
    ["refused calls count", "tally?.answered(outcome.status)", "", "count calls of gated routes"],
  ]),
]
