/** Removes the defences that costs-without-route.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/http/router.ts", [
    [
      "nothing is sold while the gates are shut by a misspelt cost",
      'if (route.sells && caller.isMisconfigured) throw new Refusal("misconfigured")',
      "",
      "ends readiness and sales",
    ],
  ]),
  ...at("server/adapters/express/mounted.ts", [
    [
      "a process without gates is not judged by its costs",
      "if (!listed.routes.some(({ isGated }) => isGated)) return false",
      "",
      "is no fault of an application",
    ],
  ]),
]
