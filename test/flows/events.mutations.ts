/** Removes the defences that events.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/delivery/event-stream.ts", [
    ["a stream ends with its token", " && isAllowed()", "", "ADM-12"],
    [
      "reading goes on after the last entry",
      "({ last } = page)",
      "last = start.after + 0 * page.last",
      "ADM-11",
    ],
  ]),
  ...at("server/admin/events-api.ts", [
    [
      "a place in other books starts anew",
      "after === null ? { after: 0, isAnew: true }",
      "after === null ? { after: 0, isAnew: false }",
      "starts anew",
    ],
  ]),
  ...at("server/delivery/ledger-tail.ts", [
    [
      "the ledger is polled",
      "while (waiters.size > 0) {",
      "for (let once = 0; once < 1; once++) {",
      "by polling",
    ],
  ]),
  ...at("server/delivery/subscriptions.ts", [
    [
      "a failing handler is called again",
      'await insist("a handler of ledger events failed; it is called again", () => handler({ ...entry, id }))',
      "await Promise.resolve({ ...entry, id }).then(handler).catch(() => undefined)",
      "calls a failing function again",
    ],
  ]),
]
