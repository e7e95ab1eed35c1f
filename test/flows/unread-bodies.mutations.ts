/** Removes the defences that unread-bodies.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/adapters/harden.ts", [
    ["no body is asked for early", "  continueOnRead(server)\n", "", "is not asked for by an answer"],
  ]),
  ...at("server/adapters/web-request.ts", [
    [
      "the endpoints read a body late",
      "req.iterator(",
      "req.resume().iterator(",
      "is not asked for while checks",
    ],
  ]),
  ...at("server/adapters/unread-body.ts", [
    ["a long body ends the connection", "length > mostDiscardedBytes", "false", "is left where it is long"],
  ]),
  ...at("server/adapters/express/answer.ts", [
    [
      "the gate leaves a long body",
      "setHeaders(res, headers)\n  leaveBody(res.req, res)\n",
      "setHeaders(res, headers)\n",
      "is left where it is long",
    ],
  ]),
  ...at("server/http/hang-ups.ts", [
    ["one line a minute", "if (now() < loggedAt + quietSeconds) return", "", "make one line"],
  ]),
  ...at("server/http/router.ts", [
    [
      "a hang-up is no failure",
      "if (!(error instanceof HungUp || request.signal.aborted))",
      "if (true)",
      "make one line",
    ],
  ]),
]
