/** Removes the rules that log.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/app/log.ts", [
    ["warnings have no stack", "severity >= errorLevel", "true", "a warning names its error in one line"],
  ]),
]
