/** Removes the defences that codec.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("shared/values/json.ts", [
    [
      "no duplicate key",
      "if (inspect(value, maxDepth) !== writtenKeys(text))",
      "if (inspect(value, maxDepth) > writtenKeys(text))",
      "N-8725-7",
    ],
    ["no prototype keys", "if (forbiddenKeys.has(key)) throw", "if (false) throw", "PRS-04"],
    ["nesting is limited", "if (depth === 0) throw", "if (false) throw", "refuses deeply nested"],
  ]),
]
