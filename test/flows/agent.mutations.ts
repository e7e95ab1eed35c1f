/** Removes the defences that agent.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/mcp/server.ts", [
    [
      "only an explicit yes approves",
      'action === "accept" && content?.pay === true',
      'action !== "cancel"',
      "CLI-02: buys above the approval",
    ],
  ]),
  ...at("client/mcp/schemas.ts", [
    [
      "hosts get plain schemas",
      "filter(([keyword]) => !refused.includes(keyword))",
      "filter(([keyword]) => refused.length > 0 || keyword)",
      "in a plain subset of JSON Schema",
    ],
  ]),
]
