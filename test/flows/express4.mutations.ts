/** Removes the defences that express4.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/adapters/express/errors.ts", [
    ["failures reach express 4", ".catch(next)", "", "hands a failure"],
  ]),
  ...at("server/adapters/express/routes-of-4.ts", [
    ["no cost by the spelling of a mount", 'baseUrl === "" && ', "", "answers 503 if a mount"],
  ]),
]
