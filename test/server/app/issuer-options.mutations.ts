/** Removes the defences that issuer-options.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/app/issuer-options.ts", [
    [
      "no unknown option of a service",
      "if (problems.length > 0) throw",
      "if (false) throw",
      "are refused when unknown",
    ],
  ]),
]
