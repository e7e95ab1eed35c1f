/** Removes the defences that token-header.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/raw-headers.ts", [
    [
      "no token is read from the login",
      "if (name === shown) fields",
      'if (name === shown || name === "authorization") fields',
      "never Authorization",
    ],
  ]),
  ...at("server/gate/gate-options.ts", [
    [
      "the header has one name",
      "if (shownIn !== undefined && shownIn !== tokenHeader)",
      "if (false)",
      "refuses every other name",
    ],
  ]),
  ...at("server/gate/challenges.ts", [
    ["each header has a 402 of its own", "${route.tokenHeader} ", "", "names the header in the 402"],
  ]),
  ...at("client/app/call-steps.ts", [
    [
      "a held token is moved, not bought again",
      "call.shownIn !== tokenHeader && !call.isMoved",
      "false",
      "moves the token of a grant",
    ],
  ]),
  ...at("client/app/receive-answer.ts", [
    [
      "a refused login is no refused token",
      "const isOurs = shownIn === undefined || ",
      "const isOurs = true || ",
      "CLI-16",
    ],
    [
      "a refused login is not repeated",
      "isIdempotent(request) && !hasLogin(request)",
      "isIdempotent(request)",
      "CLI-16",
    ],
  ]),
  ...at("client/app/fetch.ts", [
    [
      "a login elsewhere stays untouched",
      "if (!challenge?.info.tokenHeader) return response",
      "if (!challenge) return response",
      "passes calls with a login on untouched",
    ],
  ]),
]
