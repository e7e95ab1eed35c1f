/** Removes the defences that backup.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/stores/sqlite/backup.ts", [
    ["a backup is private", '"wx", 0o600', '"wx", 0o644', "KEY-09"],
    ["a draft is removed", 'for (const suffix of ["",', "for (const suffix of [", "KEY-09"],
  ]),
]
