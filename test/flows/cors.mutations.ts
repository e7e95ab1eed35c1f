/** Removes the defences that cors.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/adapters/cors.ts", [
    ["listed origins only", "origin: [...listed],", "origin: true,", "no other origin is ever named"],
  ]),
]
