/** Removes the defences that evm.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("shared/values/evm.ts", [
    ["payments have a low s", "return s > 0n && s <= halfOrder", "return s > 0n", "RPL-09, RPL-10"],
    ["v is 27 or 28", 'if (v !== "1b" && v !== "1c") return false', "", "RPL-09, RPL-10"],
  ]),
  ...at("shared/schemes/exact-eip3009.ts", [
    [
      "only the asset's next log counts as payment",
      "const next = ofAsset[at + 1]",
      "const next = ofAsset.slice(at + 1).find((log) => amountMoved(log, transfer) !== undefined)",
      "N-3009-3",
    ],
  ]),
]
