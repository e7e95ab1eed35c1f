/** Removes the defences that proxy.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/cli/proxy.ts", [
    [
      "requests use the proxy of the environment",
      "{ ...init, dispatcher }",
      "{ ...init }",
      "requests go through HTTP_PROXY",
    ],
  ]),
]
