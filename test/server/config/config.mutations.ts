/** Removes the defences that config.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/lost-recipients.ts", [
    [
      "no money goes to a known contract",
      "contracts.get(lowerAddress(address)) ??",
      "",
      "refuses a payTo from which nobody can move",
    ],
    [
      "no money goes to an address that nobody controls",
      "burned.test(lowerAddress(address))",
      "false",
      "refuses a payTo from which nobody can move",
    ],
  ]),
  ...at("server/config/explain.ts", [
    ["no URL of a node in an error", '"rpcUrls", ', "", "and never the key in a URL"],
  ]),
]
