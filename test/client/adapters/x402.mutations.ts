/** Removes the defences that x402.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/adapters/x402.ts", [
    [
      "the hook's tokens stay with their origin",
      'const key = [tokenEndpoint, resource, offer].join(" ")',
      'const key = ""',
      "CLI-12",
    ],
    [
      "the hook does nothing without the request's origin",
      "if (origin === undefined || !info) return undefined",
      "if (!info) return undefined",
      "CLI-12",
    ],
    ["the hook's payment follows no redirect", 'redirect: "manual"', 'redirect: "follow"', "CLI-13"],
    [
      "the hook does not rebuy a token that cannot open the call",
      "if (!isGood(heldToken, cost))",
      "if (!heldToken)",
      "CLI-02: buys once from an endpoint",
    ],
    ["the hook counts calls", "heldToken.callsLeft -= cost", "", "buys again when"],
  ]),
]
