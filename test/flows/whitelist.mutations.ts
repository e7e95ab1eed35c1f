/** Removes the defences that whitelist.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/whitelist.ts", [
    [
      "free only with a commitment",
      "opening === null || target",
      "target",
      "pays like everybody without a commitment",
    ],
  ]),
  ...at("server/grants/admission.ts", [
    [
      "scope of a client",
      'if (!includesScope(entry.scope, wanted)) throw new Refusal("invalid_scope")',
      "",
      "give the part of the scope",
    ],
  ]),
]
