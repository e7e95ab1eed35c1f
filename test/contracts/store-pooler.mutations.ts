/** Removes the defence that store-pooler.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = at("server/stores/postgres/connections.ts", [
  [
    "no prepared statement where a pooler lends the server process",
    "=== found.pid",
    "!== -1n",
    "many calls at once",
  ],
])
