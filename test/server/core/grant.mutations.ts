/** Removes the defences that grant.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/grant.ts", [
    [
      "only the secret's holder proves ownership",
      "return grant.opening === shown.opening",
      "return true",
      "is proven by its secret",
    ],
    [
      "refresh reuse ends the grant",
      'grant: { ...grant, ended: { reason: "refresh_token_reused", at: now } },',
      "",
      "TOK-30",
    ],
    ["a parallel refresh is repeated", "rotation && mayRepeat(rotation, now)", "false", "repeats a parallel"],
    ["repeats end ten seconds after the rotation", "now < at + repeatSeconds &&", "", "repeats a parallel"],
    ["repeats are limited", "repeats < mostRepeats", "true", "repeats a parallel"],
    [
      "DPoP: a refresh needs the grant's key",
      "if (isBound && request.keyThumbprint !== grant.keyThumbprint)",
      "if (false)",
      "bound to a key",
    ],
  ]),
]
