/** Removes the defences that plain-fetch.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/verifier/verify.ts", [
    [
      "the verifier's price request does not go through an installed client",
      "options.fetch ?? plainFetch",
      "options.fetch ?? ((...call: Parameters<typeof fetch>) => globalThis.fetch(...call))",
      "a verifier that reads",
    ],
  ]),
]
