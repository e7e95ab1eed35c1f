/** Removes the defences that proxy.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/cli/proxy.ts", [
    [
      "requests use the proxy of the environment",
      "{ ...init, dispatcher }",
      "{ ...init }",
      "requests use the proxy of the environment",
    ],
    [
      "plain http is forwarded by the proxy",
      "proxyTunnel: false",
      "proxyTunnel: true",
      "requests use the proxy of the environment",
    ],
  ]),
]
