/** Removes the defences that gas-funding.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/feeds/gas-funding.ts", [
    [
      "the gas of a payment comes from receipts",
      "gas = learnGas(gas, used, payments)",
      "",
      "learns the gas of a payment",
    ],
  ]),
  ...at("server/core/gas.ts", [
    [
      "a payment alone does not raise the least value",
      "payments > 1 ? learn(gas.batched) : gas.batched",
      "learn(gas.batched)",
      "learns the gas of a payment",
    ],
  ]),
]
