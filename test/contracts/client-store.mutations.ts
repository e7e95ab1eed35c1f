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
      "if (!holds(payment.claim) || !entry) return false",
      "if (!entry) return false",
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
  ]),
  ...at("client/node/file-store.ts", [
    [
      "a buyer without the lock stores no payment in the file",
      "if (!verbs.holds(payment.claim) || !verbs.markKept(payment.reservation)) return false",
      "verbs.markKept(payment.reservation)",
      "CLI-14: refuses reserve",
    ],
  ]),
]
