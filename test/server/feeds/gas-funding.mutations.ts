/** Removes the defences that gas-funding.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/feeds/gas-funding.ts", [
    [
      "the gas of a payment comes from receipts",
      "gasEach = learnGas(gasEach, gas, payments)",
      "",
      "learns the gas of a payment",
    ],
  ]),
]
