/** Removes the defences that store.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/stores/verbs/ledger-pages.ts", [
    [
      "a place in lost entries is refused",
      "return sequence <= end ? sequence : null",
      "return sequence",
      "keep their place over restarts",
    ],
    [
      "a filter by offer matches whole ids",
      "= :offer || '@')",
      "= :offer || substr(entries.offer, length(:offer) + 1, 1))",
      "select entries by kind",
    ],
  ]),
  ...at("server/stores/records/sums.ts", [
    ["sums are exact beyond 2^53", "const limbDigits = 13", "const limbDigits = 12", "sum sales exactly"],
  ]),
  ...at("server/stores/verbs/claim.ts", [
    [
      "a payment on the chain is claimed once",
      'if (known && !isUnclaimed(known)) return { kind: "repeated", ...known }',
      "",
      "RPL-26: give an imported payment to the opener once",
    ],
    [
      "a claim is for the money that arrived",
      "known ? !isSameMoney(known.redemption, order) :",
      "known ? false :",
      "RPL-26: refuse an imported payment of another amount",
    ],
    [
      "one transfer pays for one claim",
      ": await isPaying(rows, network, evidence)",
      ": false",
      "RPL-27: refuse a transfer that pays for another",
    ],
    [
      "the placeholder of a claimed payment counts as unpaid",
      "await rows.run(q.setUnpaid, { id: known.grant.id })",
      "",
      "RPL-26: give an imported payment to the opener once",
    ],
  ]),
  ...at("server/stores/verbs/units.ts", [
    [
      "a slice is taken from the units left",
      "await saveMeter(rows, id, take(meter, units))",
      "void take(meter, units)",
      "TOK-32: are lent up to the number",
    ],
    [
      "a derived grant spends its parent's units",
      "return [own, parent].filter((grant) => grant !== null)",
      "return [own, parent].filter((grant) => grant !== null).slice(0, 1)",
      "draw from their parent's",
    ],
  ]),
  ...at("server/core/units.ts", [
    [
      "a repeated report counts once",
      "spent: spent - slice.spent, unused: unused - slice.unused",
      "spent, unused",
      "record a slice's report",
    ],
  ]),
  ...at("server/core/derive.ts", [
    [
      "a derived grant yields no further one",
      'if (parent.parent !== null) return refused("token_derived")',
      "",
      "cannot be derived from",
    ],
    [
      "a derived scope is within the parent's scope",
      'if (!includesScope(parent.scope, scope)) return refused("invalid_scope")',
      "",
      "get at most their parent's",
    ],
    [
      "a derived grant does not outlive the stolen access token",
      "request.shownUntil ?? parent.expiresAt,",
      "parent.expiresAt,",
      "get at most their parent's",
    ],
    [
      "a bound token is derived from with its key only",
      'if (parent.keyThumbprint !== null && request.keyThumbprint !== parent.keyThumbprint)\n    return refused("dpop_key_mismatch")',
      "",
      "require the newest refresh",
    ],
    [
      "a bounded number of derived grants per hour",
      "if (recent >= derivedPerHour)",
      "if (recent < 0)",
      "cannot be derived from",
    ],
  ]),
  ...at("server/stores/verbs/grants.ts", [
    [
      "a superseded token derives nothing from the larger grant",
      "AS BIGINT) > :issuedAt",
      "AS BIGINT) > :issuedAt + 3600",
      "stop superseded tokens",
    ],
  ]),
  ...at("server/stores/verbs/redeem.ts", [
    [
      "claim and look-up in one transaction",
      'if (known) return { kind: "repeated", ...known }',
      "",
      "returns the first result",
    ],
  ]),
  ...at("server/core/credit.ts", [
    [
      "one top-up at a time",
      "if (isPending || !isIssued(grant)",
      "if (!isIssued(grant)",
      "are accepted one at a time",
    ],
    [
      "no grant moves to a smaller offer",
      'if (kind === "moves" && !isLarger) return "offer_smaller"',
      "",
      "are refused without a payment",
    ],
    [
      "a stale refresh token tops up nothing",
      'if (request.generation !== grant.generation) return "refresh_token_stale"',
      "",
      "are refused without a payment",
    ],
    [
      "an unpaid top-up is withdrawn",
      'if (state === "failed" && gave)',
      'if (state === "none" && gave)',
      "SET-02: are withdrawn",
    ],
    [
      "a token of a withdrawn top-up is superseded",
      'const effect = { topUp: gone, entry: "taken_back", credit: 0n, tokensFrom: from } as const',
      'const effect = { topUp: gone, entry: "taken_back", credit: 0n, tokensFrom: null } as const',
      "SET-02: are withdrawn",
    ],
  ]),
  ...at("server/stores/verbs/revocations.ts", [
    [
      "a rule is published",
      "await book(rows, fact, { grantId: null, redemptionKey: null }, now, revocation)",
      "await book(rows, fact, { grantId: null, redemptionKey: null }, now)",
      "by rule end all older",
    ],
  ]),
  ...at("server/stores/verbs/whitelist.ts", [
    [
      "a removal from the whitelist ends grants",
      'await endGrantsOf(rows, left, "delisted", at)',
      "",
      "WL-09: end the grants",
    ],
  ]),
  ...at("server/core/exposure.ts", [
    ["bounded queue", "exposure.queued >= limits.queue || ", "", "refuses when the queue is full"],
    [
      "the balance is reduced by pending payments",
      "request.balance - exposure.pending <",
      "request.balance <",
      "subtracts pending value",
    ],
    [
      "exposure is limited per payer",
      'if (payer.unsettled + nominal > limits.perPayer) return "perPayer"',
      "",
      "settle first a payment",
    ],
    [
      "a new payer has one unsettled payment",
      'if (payer.settled === 0 && payer.open >= limits.newPayer) return "newPayer"',
      "",
      "allow a new payer one",
    ],
    [
      "exposure is limited in total",
      'if (unsettled + nominal > limits.total) return "total"',
      "",
      "settle first a payment",
    ],
    [
      "the loss breaker opens",
      "return counted.length >= fewestLosers && lost >= limits.dailyLoss",
      "return false",
      "half-open after an hour",
    ],
    [
      "the half-open breaker admits few probes",
      "probes < 2 ** Math.min(minute, 30) ?",
      "probes < 1000 ?",
      "half-open after an hour",
    ],
  ]),
  ...at("server/core/grant.ts", [
    [
      "no token before settlement",
      'if (isIssued(grant) || grant.ended || settlement !== "settled") return grant',
      "if (isIssued(grant)) return grant",
      "settle-first payments",
    ],
    [
      "a token is issued once",
      'if (isIssued(grant) || grant.ended || settlement !== "settled") return grant',
      'if (grant.ended || settlement !== "settled") return grant',
      "have no token before settlement",
    ],
  ]),
  ...at("server/stores/verbs/lease.ts", [
    [
      "a lease from the future is not waited for",
      "return now < expiresAt && !setBack",
      "return now < expiresAt",
      "SET-42",
    ],
    [
      "fencing",
      "if (fence === 0 || (await readLease(rows)).fence !== fence) throw new Fenced()",
      "if (fence === 0) throw new Fenced()",
      "MI-05: rejects every",
    ],
  ]),
  ...at("server/stores/verbs/transactions.ts", [
    ["one transaction per nonce", "if (nonce !== next && !fills)", "if (false)", "assigns a nonce once"],
    [
      "no payment on a nonce before others",
      "nonce < next && redemptions.length === 0 &&",
      "nonce < next &&",
      "skips nonces used elsewhere",
    ],
  ]),
  ...at("server/stores/verbs/books.ts", [
    [
      "an uncounted grant lends no units",
      "grant.meter ? integer((await rows.get(q.lentUnits, { id }))?.lent) : 0",
      "integer((await rows.get(q.lentUnits, { id }))?.lent)",
      "may count units under",
    ],
  ]),
  ...at("server/stores/records/stops.ts", [
    [
      "gates hear of a suspended payment",
      'if (after.state !== "suspended" || !stands(after)) return null',
      "if (after) return null",
      "stop their grant without ending it",
    ],
    [
      "a grant that its holder revoked does not go on",
      "stands(before) && !grant.ended &&",
      "stands(before) &&",
      "are no reason to revive a grant",
    ],
    [
      "late money without a grant is owed",
      "} else if (isLate && grant.ended)",
      "} else if (false)",
      "is owed to the buyer",
    ],
  ]),
  ...at("server/core/grant.ts", [
    [
      "a suspended grant yields no tokens",
      'if (settlement === "suspended") return "settlement_delayed"',
      "",
      "stop their grant without ending it",
    ],
  ]),
  ...at("server/core/exposure.ts", [
    [
      "a suspended payment is a loss",
      'outcome === "failed" || outcome === "suspended"',
      'outcome === "failed"',
      "count as lost at once",
    ],
  ]),
  ...at("server/core/redemption.ts", [
    [
      "a payment rides in one transaction",
      '(state === "suspended" && !isRiding(redemption))',
      'state === "suspended"',
      "ride in one transaction at a time",
    ],
  ]),
]
