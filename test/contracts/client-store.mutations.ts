/** Removes the defences that client-store.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/core/budget-rules.ts", [
    [
      "recipients pinned on first use",
      "return isKnown || isApproved ?",
      "return true ?",
      "another one is refused until approved",
    ],
  ]),
  ...at("client/wallet/memory-store.ts", [
    [
      "a lost claim keeps nothing",
      "if (!holds(payment.claim) || !entry) return false",
      "if (!entry) return false",
      "whoever takes over, until it is dropped",
    ],
  ]),
  ...at("client/node/verbs.ts", [
    [
      "one holder of a claim",
      "if (held && held.holder !== holder && held.until > now && !isGone(held)) return false",
      "",
      "gives a claim to one holder at a time",
    ],
  ]),
  ...at("client/node/file-store.ts", [
    [
      "a lost claim keeps nothing in the file",
      "if (!verbs.holds(payment.claim) || !verbs.markKept(payment.reservation)) return false",
      "verbs.markKept(payment.reservation)",
      "who has lost his claim",
    ],
  ]),
]
