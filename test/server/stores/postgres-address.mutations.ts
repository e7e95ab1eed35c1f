/** Removes the defences that postgres-address.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = at("server/stores/postgres/address.ts", [
  [
    "no plain text to another machine unless it is said",
    '(isLocal(host) ? "disable" : "verify-full")',
    '"disable"',
    "encrypts to",
  ],
  ["no fallback to plain text", "&& !checked.includes(mode)", '&& mode === ""', "sslmode=prefer"],
  ["no password in a message", 'login.replace(/:.*@$/s, "@")', "login", "is in no message"],
])
