/** Removes the defences that x402.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/adapters/x402.ts", [
    [
      "the hook's tokens stay with who sold them",
      'const key = [tokenEndpoint, resource, offer].join(" ")',
      'const key = ""',
      "CLI-12",
    ],
    [
      "the hook knows who asked, or does nothing",
      "if (origin === undefined || !info) return undefined",
      "if (!info) return undefined",
      "CLI-12",
    ],
    ["the hook's payment follows no redirect", 'redirect: "error"', 'redirect: "follow"', "CLI-13"],
    [
      "the hook buys nothing twice that does not open the call",
      "if (!isGood(heldToken, cost))",
      "if (!heldToken)",
      "CLI-02: does not buy over and over",
    ],
    ["the hook counts calls", "heldToken.callsLeft -= cost", "", "buys again when"],
  ]),
]
