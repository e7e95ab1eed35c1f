/** Removes the defences that node-fit.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("shared/values/node-fit.ts", [
    [
      "Node.js 20 below better-sqlite3 13",
      "oldest !== undefined && partsOf(node)[0] >= oldest",
      "oldest !== undefined",
      "accepts the better-sqlite3 versions",
    ],
    ["Node.js 18 is refused", "if (major >= 22 ||", "if (major >= 18 ||", "refuses Node.js 18"],
  ]),
  ...at("server/stores/sqlite/package.ts", [
    [
      "the service loads no version that ends the process",
      "if (unfit)",
      "if (unfit === null)",
      "a better-sqlite3 that does not fit",
    ],
  ]),
  ...at("client/node/sqlite-package.ts", [
    [
      "the client loads no version that ends the process",
      "if (unfit)",
      "if (unfit === null)",
      "a better-sqlite3 that does not fit",
    ],
  ]),
]
