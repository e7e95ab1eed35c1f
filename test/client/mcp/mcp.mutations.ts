/** Removes the defences that mcp.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/mcp/request.ts", [
    [
      "tool calls set no credential header",
      "!allowed.has(name.toLowerCase())",
      "false",
      "CLI-04: cannot send",
    ],
  ]),
  ...at("client/mcp/reach.ts", [
    ["tool calls reach no private network", "!addresses.every(isPublic)", "false", "CLI-22: reaches listed"],
  ]),
]
