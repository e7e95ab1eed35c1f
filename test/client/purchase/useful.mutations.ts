/** Removes the defences that useful.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/grant-rules.ts", [
    [
      "a time pass that the gate refuses is not bought again",
      "grant.callsRemaining === null && covers(grant.scope, offered)",
      "false",
      "CLI-02: for any gate answers",
    ],
    [
      "an unopened grant blocks its origin",
      "if (isRefused && new URL(grant.resource).origin === resource.origin) return true",
      "",
      "CLI-16: an unopened grant",
    ],
  ]),
  ...at("client/core/budget-rules.ts", [
    [
      "three payments an hour without access",
      "if (refusals >= mostRefusals) return",
      "if (refusals < 0) return",
      "CLI-02: pays three times at most",
    ],
  ]),
  ...at("client/core/call-state.ts", [
    [
      "a token from the gate's future waits",
      'if (mayWait && !state.hasWaited) return { ...state, step: "wait", hasWaited: true }',
      "",
      "CLI-16: sends a token again",
    ],
  ]),
]
