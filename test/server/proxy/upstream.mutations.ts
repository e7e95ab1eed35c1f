/** Removes the defences that upstream.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/proxy/upstream.ts", [
    ["link-local addresses are never called", 'if (range === "linkLocal") return false', "", "HTP-18"],
    ["a name leads to public addresses only", 'range === "unicast"', "true", "HTP-18"],
    ["a link-local base URL is refused", "ipaddr.isValid(literal) && !isAllowed(literal)", "false", "HTP-18"],
  ]),
]
