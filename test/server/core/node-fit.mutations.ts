/** Removes the defences that node-fit.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = at("server/core/node-fit.ts", [
  [
    "Node.js 20 below better-sqlite3 13",
    "partsOf(node)[0] >= oldest)",
    "true)",
    "accepts the better-sqlite3 versions",
  ],
  ["Node.js 18 is refused", "if (major >= 22 ||", "if (major >= 18 ||", "refuses Node.js 18"],
])
