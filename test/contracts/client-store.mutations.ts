/** Removes the defences that client-store.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/budget-rules.ts", [
    [
      "the recipient of an origin is pinned on first use",
      "return isKnown || isApproved ?",
      "return true ?",
      "accepts an origin's first",
    ],
  ]),
  ...at("client/wallet/memory-store.ts", [
    [
      "a buyer without the lock stores no payment",
      "if (!holds(payment.lock) || !spendings.markKept(payment.reservation)) return false",
      "if (!spendings.markKept(payment.reservation)) return false",
      "counts a signed payment",
    ],
  ]),
  ...at("client/node/verbs.ts", [
    [
      "a lock has one holder",
      "if (held && held.holder !== holder && held.until > now && !isGone(held)) return false",
      "",
      "gives the lock to one",
    ],
    [
      "a buyer without the lock stores no payment in the file",
      "if (!isHeld(statements, payment.lock) || statements.markKept.run(payment.reservation).changes === 0)\n        return false",
      "statements.markKept.run(payment.reservation)",
      "CLI-14: refuses reserve",
    ],
  ]),
]
