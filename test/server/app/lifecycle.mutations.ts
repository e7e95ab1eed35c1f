/** Removes the defences that lifecycle.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/app/lifecycle.ts", [
    ["resources stop in reverse", "owned.toReversed()", "owned", "stops them in reverse"],
    [
      "a resource that does not stop keeps no other open",
      "errors.push(error)",
      "throw error",
      "releases the others when one does not stop",
    ],
    [
      "a service that is closed starts nothing more",
      "requireOpen()\n      await",
      "await",
      "ends a start under way",
    ],
  ]),
]
