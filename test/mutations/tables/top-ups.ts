/** Further payments for a grant. */
import { at, type Mutation } from "../mutation.ts"

const store = "test/contracts/store.test.ts"
const credit = "test/server/core/credit.test.ts"

export const topUps: readonly Mutation[] = [
  ...at("server/core/credit.ts", [
    [
      "credit is the share that the limit which ends first leaves",
      "if (byUse < byTime) return byUse",
      "",
      credit,
      "the share of what was paid",
    ],
    [
      "one further payment at a time",
      "if (isPending || !isIssued(grant)",
      "if (!isIssued(grant)",
      store,
      "come one at a time",
    ],
    [
      "no grant moves to a smaller offer",
      'if (kind === "moves" && !isLarger) return "offer_smaller"',
      "",
      store,
      "when they would not fit",
    ],
    [
      "who has an old refresh token adds to nothing",
      'if (request.generation !== grant.generation) return "refresh_token_stale"',
      "",
      store,
      "when they would not fit",
    ],
    [
      "what was not paid is taken back",
      'if (state === "failed" && gave)',
      'if (state === "none" && gave)',
      store,
      "take back, when they are not paid",
    ],
    [
      "a token of what was taken back opens nothing",
      'const effect = { topUp: gone, entry: "taken_back", credit: 0n, tokensFrom: from } as const',
      'const effect = { topUp: gone, entry: "taken_back", credit: 0n, tokensFrom: null } as const',
      store,
      "take back, when they are not paid",
    ],
  ]),
  ...at("server/core/units.ts", [
    [
      "what gates hold of one offer never comes back as another's",
      "writtenOff({ given, left, held: 0, spent: spent + held })",
      "({ given, left, held, spent })",
      credit,
      "counts as used what gates hold",
    ],
  ]),
  ...at("server/grants/payment/index.ts", [
    [
      "a payment is good for the grant it commits to",
      "grant: target?.grantId })",
      "grant: undefined })",
      "test/flows/top-up.test.ts",
      "RPL-24: is good for the grant",
    ],
  ]),
  ...at("server/grants/payment/buyer.ts", [
    [
      "a further payment is retried with its own secret",
      "opening: topUp.opening, idempotencyHash: null",
      "idempotencyHash: null",
      "test/flows/top-up.test.ts",
      "a retry with its secret",
    ],
  ]),
]
