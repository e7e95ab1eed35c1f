/** Removes the defences that admin-ledger.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/admin/exports.ts", [["formulas are escaped", "escape_formulas: true,", "", "ADM-10"]]),
]
