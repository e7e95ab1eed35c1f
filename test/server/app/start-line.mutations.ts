/** Removes the defences that start-line.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/app/start-checks.ts", [
    [
      "money at the relayer is warned of",
      "relayers.some(({ address }) => lowerAddress(address) === payTo)",
      "false",
      "warns when the money goes to the relayer",
    ],
  ]),
]
