/** Removes the defences that whitelist.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/whitelist.ts", [
    ["free access needs a commitment", "opening === null || target", "target", "pays like others without"],
  ]),
  ...at("server/grants/admission.ts", [
    [
      "a client's scope is within its entry",
      'if (!includesScope(entry.scope, wanted)) throw new Refusal("invalid_scope")',
      "",
      "WL-10: get the requested scope",
    ],
  ]),
]
