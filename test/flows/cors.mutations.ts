/** Removes the defences that cors.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/cors.ts", [
    ["listed origins only", "listed.has(origin) && more", "more", "an unlisted origin is never"],
  ]),
]
