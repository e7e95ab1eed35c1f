/** Removes the defences that whitelist.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/payment/index.ts", [
    [
      "free only with a commitment",
      "if (opening === null) return undefined\n  const entry",
      "const entry",
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
