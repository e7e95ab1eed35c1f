/** Removes the defences that code-payers.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/settlement/send.ts", [
    [
      "a payer with code is simulated at the real gas price",
      "gas: limits.maxGas, fees })",
      "gas: limits.maxGas })",
      "refuses at a real gas price costs no gas",
    ],
  ]),
  ...at("server/core/verdict.ts", [
    [
      "a payer with code gets one try",
      "if (examined.tried && hasCode(examined))",
      "if (false)",
      "refuses only in a block",
    ],
    [
      "a refused simulation outweighs the reading",
      "if (goesThrough && !examined.refused) return",
      "if (goesThrough) return",
      "refuses at a real gas price costs no gas",
    ],
  ]),
  ...at("server/settlement/confirm.ts", [
    [
      "a pause is no fault of the payer",
      "const paused = await chain.wasPaused(row.asset, receipt.blockNumber)",
      "const paused = false",
      "after a pause of the asset",
    ],
  ]),
  ...at("server/settlement/conclude.ts", [
    [
      "a spent gas budget is an error in the log",
      "if (gas >= failedGasBudget)",
      "if (false)",
      "once it is spent",
    ],
  ]),
  ...at("server/core/failed-gas.ts", [
    ["failed gas has a budget", "failedGasOf(tries) >= budget\n", "false\n", "once it is spent"],
    [
      "payers with a settled payment are never paused",
      "if (payerCode === null || settled > 0) return false",
      "if (payerCode === null) return false",
      "once it is spent",
    ],
    [
      "plain accounts are never paused",
      "if (payerCode === null || settled > 0) return false",
      "if (settled > 0) return false",
      "once it is spent",
    ],
    [
      "a failed try counts against its payer",
      "tries.some((each) => each.payer === payer) ||",
      "",
      "counts a failed try",
    ],
  ]),
]
