/** Removes the defences that store.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/stores/sqlite/units.ts", [
    [
      "a slice is taken from what is left",
      "saveMeter(id, take(meter, units))",
      "void take(meter, units)",
      "lends out what was sold",
    ],
    [
      "a derived grant spends what its parent has",
      "return [own, parent].filter((grant) => grant !== null)",
      "return [own, parent].filter((grant) => grant !== null).slice(0, 1)",
      "spend what their parent has",
    ],
  ]),
  ...at("server/core/units.ts", [
    [
      "a report told twice counts once",
      "spent: spent - slice.spent, unused: unused - slice.unused",
      "spent, unused",
      "notes what became of a slice once",
    ],
  ]),
  ...at("server/core/derive.ts", [
    [
      "what was derived yields no further one",
      'if (parent.parent !== null) return refused("token_derived")',
      "",
      "yield no further ones",
    ],
    [
      "no scope is derived that the holder does not have",
      'if (!includesScope(parent.scope, scope)) return refused("invalid_scope")',
      "",
      "at most the scope, the units",
    ],
    [
      "a stolen access token yields none that outlives it",
      "request.shownUntil ?? parent.expiresAt,",
      "parent.expiresAt,",
      "at most the scope, the units",
    ],
    [
      "a bound token is derived from with its key only",
      'if (parent.keyThumbprint !== null && request.keyThumbprint !== parent.keyThumbprint)\n    return refused("dpop_key_mismatch")',
      "",
      "come only of what is shown whole",
    ],
    ["a bounded number an hour", "if (recent >= derivedPerHour)", "if (recent < 0)", "so many an hour"],
  ]),
  ...at("server/stores/sqlite/intake.ts", [
    [
      "a token that its grant has outgrown yields none of what the grant is now",
      "AND content ->> 'before' > :issuedAt",
      "AND content ->> 'before' > :issuedAt + 3600",
      "none of them yields a derived one",
    ],
    [
      "claim and look-up in one transaction",
      'if (known) return { kind: "repeated", ...known }\n      if (isHashTaken(order))',
      "if (isHashTaken(order))",
      "changes nothing at a repeated claim",
    ],
  ]),
  ...at("server/core/credit.ts", [
    [
      "one further payment at a time",
      "if (isPending || !isIssued(grant)",
      "if (!isIssued(grant)",
      "come one at a time",
    ],
    [
      "no grant moves to a smaller offer",
      'if (kind === "moves" && !isLarger) return "offer_smaller"',
      "",
      "when they would not fit",
    ],
    [
      "who has an old refresh token adds to nothing",
      'if (request.generation !== grant.generation) return "refresh_token_stale"',
      "",
      "when they would not fit",
    ],
    [
      "what was not paid is taken back",
      'if (state === "failed" && gave)',
      'if (state === "none" && gave)',
      "take back, when they are not paid",
    ],
    [
      "a token of what was taken back opens nothing",
      'const effect = { topUp: gone, entry: "taken_back", credit: 0n, tokensFrom: from } as const',
      'const effect = { topUp: gone, entry: "taken_back", credit: 0n, tokensFrom: null } as const',
      "take back, when they are not paid",
    ],
  ]),
  ...at("server/stores/sqlite/revocations.ts", [
    ["a rule is published", "records.publish(sequence, ruleOf(target, now), now)", "", "by one rule"],
  ]),
  ...at("server/stores/sqlite/whitelist.ts", [
    [
      "removal ends grants",
      'records.endGrantsOf(left, "delisted", at)',
      "",
      "WL-09: what left the whitelist",
    ],
  ]),
  ...at("server/core/exposure.ts", [
    ["bounded queue", "exposure.queued >= limits.queue || ", "", "refuses when the queue is full"],
    [
      "balance minus pending",
      "request.balance - exposure.pending <",
      "request.balance <",
      "counts pending value against the balance",
    ],
    [
      "exposure per payer",
      'if (payer.unsettled + nominal > limits.perPayer) return "perPayer"',
      "",
      "settle first what would exceed",
    ],
    [
      "one payment of a new payer",
      'if (payer.settled === 0 && payer.open >= limits.newPayer) return "newPayer"',
      "",
      "let a new payer have one payment",
    ],
    [
      "exposure in total",
      'if (unsettled + nominal > limits.total) return "total"',
      "",
      "settle first what would exceed",
    ],
    ["loss breaker", "lost > 0n && lost >= limits.dailyLoss", "false", "half-open by themselves"],
    [
      "few probes while half open",
      "probes < 2 ** Math.min(minute, 30) ?",
      "probes < 1000 ?",
      "half-open by themselves",
    ],
  ]),
  ...at("server/core/grant.ts", [
    [
      "no token before the money",
      'if (isIssued(grant) || grant.ended || settlement !== "settled") return grant',
      "if (isIssued(grant)) return grant",
      "settle-first payments",
    ],
    [
      "a token issued once",
      'if (isIssued(grant) || grant.ended || settlement !== "settled") return grant',
      'if (grant.ended || settlement !== "settled") return grant',
      "have no token before the money is in",
    ],
  ]),
  ...at("server/stores/verbs/rules.ts", [
    [
      "a lease of the future is not waited for",
      "return now < expiresAt && !setBack",
      "return now < expiresAt",
      "SET-42",
    ],
  ]),
  ...at("server/stores/sqlite/worker.ts", [
    [
      "fencing",
      "if (fence === 0 || integer(readLease.get()?.fence) !== fence) throw new Fenced()",
      "if (fence === 0) throw new Fenced()",
      "lets an old fence write nothing",
    ],
    [
      "one nonce, one transaction",
      "if (nonce !== next && !fills) throw wrongNonce(nonce, next)",
      "",
      "uses a nonce once",
    ],
    [
      "no payment on a nonce before others",
      "nonce < next && redemptions.length === 0 &&",
      "nonce < next &&",
      "goes on after nonces that somebody else used",
    ],
  ]),
  ...at("server/stores/memory/books.ts", [
    ["what counts nothing lends nothing", "if (!meter) return 0", "", "may count calls"],
  ]),
]
