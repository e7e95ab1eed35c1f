/** Removes the defences that plain-fetch.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/verifier/verify.ts", [
    [
      "a look at prices that no installed client pays for",
      "options.fetch ?? plainFetch",
      "options.fetch ?? ((...call: Parameters<typeof fetch>) => globalThis.fetch(...call))",
      "does not buy one",
    ],
  ]),
]
