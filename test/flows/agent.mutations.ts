/** Removes the defences that agent.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/mcp/server.ts", [
    [
      "only a yes of the person is one",
      'action === "accept" && content?.pay === true',
      'action !== "cancel"',
      "CLI-02: what costs more",
    ],
  ]),
]
