/** The defences of the house, each with the edit that removes it and the test that must see it gone. */

export type Mutation = {
  readonly defence: string
  readonly file: string
  /** Text that the file holds exactly once. */
  readonly find: string
  readonly replace: string
  /** A test file, and a part of the names of the tests in it that guard the defence. */
  readonly test: string
  readonly name: string
}

type Edit = readonly [defence: string, find: string, replace: string, test: string, name: string]

const of = (file: string, edits: readonly Edit[]): readonly Mutation[] =>
  edits.map(([defence, find, replace, test, name]) => ({ defence, file, find, replace, test, name }))

const store = "test/contracts/store.test.ts"
const sqlite = "test/server/stores/sqlite.test.ts"
const replay = "test/flows/replay.test.ts"
const malformed = "test/flows/malformed.test.ts"
const gate = "test/server/gate.test.ts"
const dpop = "test/server/dpop.test.ts"
const payment = "test/server/core/payment.test.ts"
const quotes = "test/server/quotes.test.ts"
const prices = "test/server/price-list.test.ts"
const evm = "test/shared/evm.test.ts"
const settlement = "test/server/settlement.test.ts"
const batch = "test/server/settlement/batch.test.ts"
const relayer = "test/server/chains/relayer.test.ts"
const lanes = "test/server/settlement/lanes.test.ts"
const keys = "test/server/keys.test.ts"
const watch = "test/flows/pay-and-watch.test.ts"
const node = "test/server/chains/evm.test.ts"
const nodes = "test/server/chains/nodes.test.ts"
const twoNodes = "test/flows/two-nodes.test.ts"
const limits = "test/flows/limits.test.ts"
const whitelist = "test/flows/whitelist.test.ts"
const contracts = "test/flows/contract-payers.test.ts"
const exposure = "test/server/core/exposure.test.ts"
const walkUp = "test/flows/walk-up.test.ts"
const hook = "test/client/x402.test.ts"
const clientStore = "test/contracts/client-store.test.ts"

const redeemedOnce: readonly Mutation[] = [
  ...of("server/stores/sqlite-schema.ts", [
    ["unique redemption key", "key TEXT NOT NULL UNIQUE,", "key TEXT NOT NULL,", sqlite, "RPL-02"],
    [
      "unique evidence",
      "CREATE UNIQUE INDEX redemptions_by_evidence",
      "CREATE INDEX redemptions_by_evidence",
      sqlite,
      "RPL-02",
    ],
  ]),
  ...of("server/stores/sqlite-intake.ts", [
    [
      "claim and look-up in one transaction",
      'if (known) return { kind: "repeated", ...known }\n      if (isHashTaken(order))',
      "if (isHashTaken(order))",
      store,
      "changes nothing at a repeated claim",
    ],
  ]),
  ...of("shared/evm.ts", [
    ["low s of payments", "return s > 0n && s <= halfOrder", "return s > 0n", evm, "RPL-09, RPL-10"],
    ["v 27 or 28 only", 'if (v !== "1b" && v !== "1c") return false', "", evm, "RPL-09, RPL-10"],
  ]),
  ...of("server/grants/payment.ts", [
    ["content equality on replay", "if (!same || !provesOwner(", "if (!provesOwner(", replay, "N-3009-2"],
    [
      "proof by the secret only",
      "      opening: opened,",
      "      opening: opened ?? request.commitment ?? null,",
      replay,
      "RPL-01",
    ],
    [
      "the commitment opens the nonce",
      'if (nonce !== payment.transfer.nonce) throw new Refusal("commitment_mismatch")',
      "",
      replay,
      "a commitment that does not open the nonce",
    ],
    ["signature check", 'if (verdict === "valid") return true', "return true", replay, "RPL-09, RPL-10"],
    [
      "used nonce",
      'if (reading.used) return "authorization_used"',
      "",
      "test/flows/strangers.test.ts",
      "settled elsewhere before",
    ],
    [
      "payers with code pay first",
      'reading.payerHasCode ? ("first" as const) : payment.offer.settle',
      "payment.offer.settle",
      contracts,
      "a delegated account",
    ],
    ["nobody free by the word of a contract", "byKey ? entry : undefined", "entry", contracts, "WL-08"],
    [
      "a wallet's word is the chain's",
      "if (!(await chain.hasCode(payment.transfer.payer))) throw new Refusal(verdict)",
      "",
      contracts,
      "nonsense of a plain account",
    ],
  ]),
  ...of("server/core/grant.ts", [
    [
      "the secret is the buyer's",
      "return grant.opening === shown.opening",
      "return true",
      "test/server/core/grant.test.ts",
      "is proven by its secret",
    ],
    [
      "refresh reuse ends the grant",
      'grant: { ...grant, ended: { reason: "refresh_token_reused", at: now } },',
      "",
      "test/server/core/grant.test.ts",
      "TOK-30",
    ],
  ]),
  ...of("shared/errors.ts", [
    [
      "no 402 for an accepted payment",
      "authorization_conflict: {\n    status: 409,",
      "authorization_conflict: {\n    status: 402,",
      replay,
      "RPL-01",
    ],
  ]),
]

const offersAndLimits: readonly Mutation[] = [
  ...of("server/core/payment.ts", [
    [
      "no price without a quote",
      'if (!quoted) throw new Refusal("quote_invalid")',
      "if (!quoted) return transfer.value",
      quotes,
      "QTE-05",
    ],
    [
      "end of a quote",
      'if (signedAt(transfer, price) > quoted.expiresAt) throw new Refusal("quote_expired")',
      "",
      quotes,
      "QTE-04",
    ],
  ]),
  ...of("server/quotes.ts", [
    [
      "seal of a quote",
      "return read && keys.isQuoteSealed(sealedText(subjectOf(offer, price), read), read) ? read : undefined",
      "return read",
      quotes,
      "QTE-05",
    ],
  ]),
  ...of("server/core/dynamic-quote.ts", [
    ["a quote is for one offer", "    subject.offer,\n", "", quotes, "QTE-05, QTE-10, RPL-24"],
    ["a quote is of one service", "    subject.issuer,\n", "", quotes, "QTE-05, QTE-10, RPL-24"],
    ["a quote is for one amount", "    amount.toString(),\n", "", quotes, "QTE-05: that is edited"],
    ["a quote has one end", "    expiresAt,\n  ])", "  ])", quotes, "QTE-05: that is edited"],
  ]),
  ...of("server/core/pricing.ts", [
    [
      "a function's price is never nothing",
      'if (amount === 0n) throw new AmountError("found a price of 0")',
      "",
      prices,
      "QTE-09",
    ],
    [
      "a function's price is text",
      'if (typeof answer !== "string")',
      "if (answer == null)",
      prices,
      "QTE-09",
    ],
  ]),
  ...of("server/grants/payment.ts", [
    [
      "the commitment covers the quote",
      "committedOffer(payment.offer.ref, payment.accepted.extra?.quote)",
      "committedOffer(payment.offer.ref, undefined)",
      "test/flows/dynamic-prices.test.ts",
      "QTE-04, RPL-24",
    ],
  ]),
  ...of("server/http/challenge.ts", [
    [
      "a closed price is no empty offer",
      'if (row.status === 402 && row.action === "buy" && isClosed)',
      "if (false)",
      prices,
      "QTE-09",
    ],
  ]),
  ...of("server/start-checks.ts", [
    [
      "every price is somebody's",
      "if (problems.length > 0) throw new ConfigError(problems)",
      "",
      prices,
      "QTE-08",
    ],
  ]),
  ...of("server/keys/index.ts", [
    [
      "an old key of quotes ends",
      'key.id === kid && quoteState(key) !== "gone"',
      "key.id === kid",
      quotes,
      "QTE-04: a rotation",
    ],
  ]),
  ...of("client/booking.ts", [
    [
      "nothing is signed for a price that is over",
      "if (now <= (terms.priceExpiresAt ?? Number.POSITIVE_INFINITY)) return",
      "if (now > 0) return",
      "test/client/quotes.test.ts",
      "whose prices are always over",
    ],
  ]),
  ...of("server/price-list.ts", [
    [
      "functions are asked on a schedule",
      "const goodForSeconds = 10",
      "const goodForSeconds = 0",
      prices,
      "asks a function every ten seconds",
    ],
    [
      "no quote of a removed key",
      " || quotes.open(known.quote, offer, price) === undefined",
      "",
      prices,
      "seals its prices anew",
    ],
    ["what failed is closed", "told.set(key, null)\n", "", prices, "QTE-09: what failed"],
    [
      "no late price",
      "return Promise.race([Promise.resolve().then(work), late])",
      "return Promise.resolve().then(work)",
      prices,
      "an answer after the time is up",
    ],
  ]),
  ...of("server/core/payment.ts", [
    [
      "exact amount",
      "if (transfer.value !== price.amount ||",
      "if (transfer.value < price.amount ||",
      payment,
      "QTE-01, SET-36",
    ],
    [
      "recipient",
      'if (transfer.payTo !== price.payTo) throw new Refusal("recipient_mismatch")',
      "",
      payment,
      "QTE-02, QTE-06",
    ],
    [
      "time left",
      "if (transfer.validBefore < BigInt(now + wanted))",
      "if (false)",
      payment,
      "SET-09, SET-10",
    ],
    [
      "longest window",
      "if (transfer.validBefore > BigInt(now + longestPaymentSeconds))",
      "if (false)",
      payment,
      "SET-09, SET-10",
    ],
    [
      "valid already",
      'if (transfer.validAfter >= BigInt(now)) throw new Refusal("not_yet_valid")',
      "",
      payment,
      "SET-09, SET-10",
    ],
  ]),
  ...of("server/core/exposure.ts", [
    ["bounded queue", "standing.queued >= limits.queue || ", "", store, "refuses when the queue is full"],
    ["queue longer than the payment lives", " || isTooLate(claim, standing.queued)", "", exposure, "SET-40"],
    [
      "balance minus pending",
      "claim.balance - standing.pending <",
      "claim.balance <",
      store,
      "counts pending value against the balance",
    ],
    [
      "limit per payment",
      'if (nominal > limits.perPayment) return "perPayment"',
      "",
      exposure,
      "a dearer payment",
    ],
    [
      "exposure per payer",
      'if (payer.unsettled + nominal > limits.perPayer) return "perPayer"',
      "",
      store,
      "settle first what would exceed",
    ],
    [
      "one payment of a new payer",
      'if (payer.settled === 0 && payer.open >= limits.newPayer) return "newPayer"',
      "",
      store,
      "let a new payer have one payment",
    ],
    [
      "exposure in total",
      'if (unsettled + nominal > limits.total) return "total"',
      "",
      store,
      "settle first what would exceed",
    ],
    [
      "what was lost and may be lost, together",
      'if (lost + unsettled + nominal > limits.dailyLoss + limits.total) return "dailyLoss"',
      "",
      exposure,
      "SET-04",
    ],
    ["loss breaker", "lost > 0n && lost >= limits.dailyLoss", "false", store, "half-open by themselves"],
    [
      "few probes while half open",
      "probes < 2 ** Math.min(minute, 30) ?",
      "probes < 1000 ?",
      store,
      "half-open by themselves",
    ],
  ]),
  ...of("server/core/grant.ts", [
    [
      "no token before the money",
      'if (isIssued(grant) || grant.ended || settlement !== "settled") return grant',
      "if (isIssued(grant)) return grant",
      store,
      "settle-first payments",
    ],
    [
      "a token issued once",
      'if (isIssued(grant) || grant.ended || settlement !== "settled") return grant',
      'if (grant.ended || settlement !== "settled") return grant',
      store,
      "have no token before the money is in",
    ],
  ]),
  ...of("server/chains/read-budget.ts", [
    [
      "looks for code by the second",
      "if (await isSpent())",
      "if (false)",
      "test/server/chains/read-budget.test.ts",
      "DOS-12",
    ],
  ]),
  ...of("server/waits.ts", [
    [
      "bounded waits",
      "stopped || waiting.size >= atOnce",
      "stopped",
      "test/server/waits.test.ts",
      "is refused at once",
    ],
    [
      "a wait ends with its client",
      'signal.addEventListener("abort", wait.end, { once: true })',
      "",
      "test/server/waits.test.ts",
      "ends when it takes too long",
    ],
  ]),
  ...of("server/http/rate.ts", [
    [
      "rate of a peer",
      "if (spent.consumedPoints > requests)",
      "if (false)",
      limits,
      "a peer that asks too often",
    ],
  ]),
]

const strangers: readonly Mutation[] = [
  ...of("server/grants/payment.ts", [
    [
      "rate of a payer",
      "if (byKey) await deps.payers.take(payer)",
      "",
      limits,
      "a payer who signs too often",
    ],
    [
      "a payer's budget is his own",
      "await deps.payers.check(payer)",
      "await deps.payers.take(payer)",
      limits,
      "DOS-10",
    ],
    [
      "free only with a commitment",
      "if (opening === null) return undefined\n  const entry",
      "const entry",
      whitelist,
      "pays like everybody without a commitment",
    ],
  ]),
  ...of("server/grants/client-credentials.ts", [
    [
      "scope of a client",
      'if (!includesScope(entry.scope, wanted)) throw new Refusal("invalid_scope")',
      "",
      whitelist,
      "give the part of the scope",
    ],
  ]),
  ...of("server/gate.ts", [
    [
      "whitelist while it lasts",
      "const delisted = claims.paid ? undefined : whyDelisted(claims, request.scope)",
      "const delisted = claims.paid ? undefined : undefined",
      gate,
      "WL-09",
    ],
    [
      "age of the whitelist",
      'if (whitelist.age() > feedMaximumSeconds) return "gate_unavailable"',
      "",
      gate,
      "cannot tell with a list older",
    ],
  ]),
  ...of("server/core/whitelist.ts", [
    [
      "nothing revives with an entry",
      " && entry.listedAt <= issuedAt",
      "",
      store,
      "revives nothing with an entry",
    ],
  ]),
  ...of("server/adapters/express.ts", [
    [
      "trusted proxies only",
      "proxyAddr(req, trusted)",
      "proxyAddr(req, () => true)",
      limits,
      "N-9700-5, WL-04",
    ],
  ]),
  ...of("server/adapters/cors.ts", [
    [
      "listed origins only",
      "origin: [...listed],",
      "origin: true,",
      "test/flows/cors.test.ts",
      "no other origin is ever named",
    ],
  ]),
]

const tokens: readonly Mutation[] = [
  ...of("server/gate.ts", [
    [
      "trust at every look",
      " || !keys.isTrusted(known.kid)",
      "",
      "test/flows/keys.test.ts",
      "TOK-26: refuse what a removed key signed",
    ],
    [
      "age of the keys",
      'if (keyFeed.age() > feedMaximumSeconds) return refuse("gate_unavailable")',
      "",
      gate,
      "TOK-26",
    ],
    ["rate of a token", "if (isTooMuch(known, at))", "if (false)", gate, "TOK-17"],
    ["audience", " || claims.aud !== options.resource", "", gate, "TOK-18"],
    ["issuer", "claims.iss !== options.issuer || ", "", gate, "TOK-18"],
    [
      "cache key of the exact bytes",
      'createHash("sha256").update(token).digest("base64url")',
      'createHash("sha256").update(token.slice(0, token.lastIndexOf("."))).digest("base64url")',
      gate,
      "a warm cache changes no verdict",
    ],
    [
      "expiry at every look",
      'if (isExpired(claims, at)) return refuse("token_expired")',
      "",
      gate,
      "a warm cache changes no verdict",
    ],
    [
      "revocation",
      'if (ended === "settlement_failed") return refuse("settlement_failed")',
      'if (ended === "settlement_failed") return { kind: "pass", claims }',
      gate,
      "TOK-21",
    ],
    [
      "age of the revocation feed",
      'if (!claims.settled && revocations.age() > feedMaximumSeconds) return refuse("gate_unavailable")',
      "",
      gate,
      "TOK-22",
    ],
    ["one Authorization header", "more.length > 0 || ", "", gate, "N-6750-1, HTP-08"],
  ]),
  ...of("shared/access-token.ts", [
    [
      "whole match of scopes",
      'granted.split(" ").includes(wanted)',
      "granted.includes(wanted)",
      gate,
      "TOK-20",
    ],
  ]),
  ...of("shared/jws.ts", [
    [
      "low s of tokens",
      'return alg !== "ES256" || lowerHalf(signature) <= curveOrder / 2n',
      "return true",
      gate,
      "one token has one spelling",
    ],
    ["no spare bits", "{85}[AQgw]$/", "{86}$/", gate, "one token has one spelling"],
  ]),
  ...of("server/keys/index.ts", [
    [
      "exact token header",
      'held.byHeader.get(token.slice(0, token.indexOf(".")))',
      "[...held.byHeader.values()][0]",
      gate,
      "TOK-12: what our own key signed",
    ],
    [
      "a key that is gone signs for nothing",
      "if (!found || !isAlive(found.key)) return undefined",
      "if (!found) return undefined",
      keys,
      "TOK-24",
    ],
    [
      "a removed key is not trusted",
      "return found !== undefined && isAlive(found.key)",
      "return true",
      keys,
      "TOK-26",
    ],
    ["nothing outlives its key", " || until > end)", ")", keys, "lets the old one finish while both run"],
  ]),
  ...of("server/keys/signing-key.ts", [
    [
      "a signer outside is checked",
      "if (outside && !(await check(token)))",
      "if (false)",
      keys,
      "that is away, slow or wrong",
    ],
    ["no byte order mark before claims", "ignoreBOM: true", "ignoreBOM: false", keys, "N-8725-7"],
  ]),
  ...of("client/receipt.ts", [
    ["type of a receipt", " || typ !== receiptType", "", "test/flows/receipt.test.ts", "N-8725-6"],
    [
      "issuer of a receipt",
      "if (content.iss !== issuer) throw",
      "if (false) throw",
      "test/flows/receipt.test.ts",
      "is refused when it was changed",
    ],
    [
      "algorithm of a receipt's key",
      "if (jwk.alg !== alg || !algorithms.has(alg)) throw",
      "if (false) throw",
      "test/flows/receipt.test.ts",
      "is refused when it was changed",
    ],
  ]),
  ...of("server/receipt.ts", [
    [
      "no receipt before the money is in",
      "payments.filter(({ state }) => isSettled(state))",
      "payments",
      "test/server/receipt.test.ts",
      "is taken back with the block",
    ],
  ]),
  ...of("server/keys/outside.ts", [
    [
      "a removed key stays out",
      "if (ring.removed.some(({ id }) => id === signer.id))",
      "if (false)",
      keys,
      "is possible there and back",
    ],
  ]),
  ...of("server/keys/ring-file.ts", [
    [
      "of two changes one",
      "if (newest !== number) {",
      "if (false) {",
      keys,
      "on a ring that was replaced twice",
    ],
  ]),
  ...of("server/core/key-ring.ts", [
    [
      "a retiring key is accepted",
      'return now < key.retiredAt + overlapSeconds ? "retiring" : "gone"',
      'return "gone"',
      keys,
      "TOK-24",
    ],
    [
      "published before it signs",
      "Math.max(now, heir.publishedAt + settleSeconds)), make()]",
      "now), make()]",
      keys,
      "KEY-05",
    ],
  ]),
  ...of("server/grants/payment.ts", [
    [
      "no payment for a token that cannot be signed",
      "deps.keys.check()",
      "",
      "test/flows/keys.test.ts",
      "loses no payment when the signer fails",
    ],
  ]),
  ...of("server/keys/files.ts", [
    [
      "mode of key files",
      "if ((mode & ~wanted) === 0) return",
      "return",
      keys,
      "is refused when others can read a file",
    ],
    ["O_NOFOLLOW", " | constants.O_NOFOLLOW", "", keys, "is refused when others can read a file"],
  ]),
]

const money: readonly Mutation[] = [
  ...of("server/stores/sqlite-file.ts", [
    [
      "synchronous=FULL",
      '["synchronous", "FULL", "2"]',
      '["synchronous", "NORMAL", "1"]',
      sqlite,
      "reads synchronous=FULL back",
    ],
    [
      "synchronous read back",
      "if (found !== readBack)",
      "if (false)",
      sqlite,
      "does not go on with a handle",
    ],
  ]),
  ...of("server/settlement/send.ts", [
    [
      "stored before sent",
      "    const redemptions = group.rows.map((row) => row.key)\n",
      "    const redemptions = group.rows.map((row) => row.key)\n    await chain.send(version.raw)\n",
      settlement,
      "SET-44",
    ],
    [
      "gas whatever the node says",
      "most((gas * 13n) / 10n, limits.minGas)",
      "(gas * 13n) / 10n",
      batch,
      "hardly any gas is needed",
    ],
  ]),
  ...of("server/stores/rules.ts", [
    [
      "a lease of the future is not waited for",
      "return now < expiresAt && !setBack",
      "return now < expiresAt",
      store,
      "SET-42",
    ],
  ]),
  ...of("server/settlement/resend.ts", [
    [
      "gaps of nonces filled",
      "await fill(fence, address, relayer, nonce)",
      "",
      lanes,
      "SET-21: that came free by a reorg",
    ],
    [
      "what nobody waits for is replaced",
      "const call = wanted ? transaction : nothing(relayer.address)",
      "const call = transaction",
      lanes,
      "SET-21: that nobody waits for any more",
    ],
    [
      "a drained key's payments go by another",
      "if (!relayer || isParked(address)) await rescue",
      "if (relayer && isParked(address)) await rescue",
      lanes,
      "KEY-06",
    ],
  ]),
  ...of("server/core/verdict.ts", [
    [
      "dead letters",
      'if (redemption.failure === null && redemption.attempts + 1 >= maxAttempts) return { to: "dead", error }\n',
      "",
      lanes,
      "SET-41: a payment that can never be worked on",
    ],
  ]),
  ...of("server/settlement/finality.ts", [
    [
      "settled payments rechecked until final",
      "if (!stays) return takeBack(fence, rows)",
      "if (!stays) return",
      settlement,
      "SET-32: a settled payment whose cancel wins",
    ],
    [
      "final by the chain's word only",
      "if (stays && block.blockNumber > finalNumber) return",
      "",
      settlement,
      "a settled payment is final when the chain says so",
    ],
  ]),
  ...of("server/settlement/send.ts", [
    [
      "a batch within the relayer's balance",
      "const gas = least(open.map((lane) => lane.affordable).reduce(most, 0n), limits.maxBatchGas)",
      "const gas = limits.maxBatchGas",
      batch,
      "no more gas than the relayer can vouch for",
    ],
  ]),
  ...of("server/settlement/batch.ts", [
    [
      "alone after a failure",
      'row.state === "accepted" && row.attempts === 0 &&',
      'row.state === "accepted" &&',
      batch,
      "a payment that failed inside is tried alone",
    ],
    [
      "no payer with code in a batch",
      "if (!(await chain.hasCode(one.row.transfer.payer))) plain.add(one)",
      "plain.add(one)",
      batch,
      "a payer who got code after its simulation",
    ],
    [
      "halving",
      "if (by.capsEach || (await goesThrough(by, whole))) return [whole]",
      "return [whole]",
      batch,
      "is halved until it goes through",
    ],
  ]),
  ...of("server/chains/relayer.ts", [
    [
      "every call of a batch looked at",
      "return aggregator.decode(data).every(isSettlement)",
      "return aggregator.decode(data).length > 0",
      relayer,
      "no batch with any other call in it",
    ],
  ]),
  ...of("server/stores/sqlite-worker.ts", [
    [
      "fencing",
      "if (fence === 0 || integer(readLease.get()?.fence) !== fence) throw new Fenced()",
      "if (fence === 0) throw new Fenced()",
      store,
      "lets an old fence write nothing",
    ],
    [
      "one nonce, one transaction",
      "if (nonce !== next && !fills) throw wrongNonce(nonce, next)",
      "",
      store,
      "uses a nonce once",
    ],
    [
      "no payment on a nonce before others",
      "nonce < next && redemptions.length === 0 &&",
      "nonce < next &&",
      store,
      "goes on after nonces that somebody else used",
    ],
  ]),
  ...of("shared/schemes/exact-eip3009.ts", [
    [
      "paid by the asset's next log only",
      "const next = ofAsset[at + 1]",
      "const next = ofAsset.slice(at + 1).find((log) => amountMoved(log, transfer) !== undefined)",
      evm,
      "N-3009-3",
    ],
  ]),
  ...of("server/chains/node.ts", [
    ["chain id of a node", "if (found !== network.chainId)", "if (false)", node, "SET-30"],
    [
      "chain id again after an outage",
      "if (!trouble && clock() < provenUntil)",
      "if (provenUntil > 0)",
      nodes,
      "SET-30: that comes back from an outage",
    ],
    [
      "a hanging node costs its timeout once",
      "(!trouble.slow || clock() >= trouble.restUntil)",
      "true",
      nodes,
      "DOS-14: alone and hanging",
    ],
  ]),
  ...of("server/settlement/confirm.ts", [
    [
      "a second node's word for what is paid",
      'const counts = deep && (await witness(row, evidence)) === "confirmed"',
      "const counts = deep",
      twoNodes,
      "SET-29: is not settled on the word of one node",
    ],
  ]),
  ...of("server/grants/payment.ts", [
    [
      "a second node's word for what is accepted",
      "const source = chain.agreed(nominalOf(payment)) ?? chain",
      "const source = chain",
      twoNodes,
      "SET-29: is not accepted while two nodes",
    ],
    [
      "no dust",
      "if (!entry) await deps.funding.get(payment.network.id)?.wantWorth(nominalOf(payment))",
      "",
      "test/flows/dust.test.ts",
      "SET-24",
    ],
  ]),
  ...of("server/chains/nodes.ts", [
    ["no answer of a node that lags", "if (heads.isCurrent(told.block)) {", "if (true) {", nodes, "SET-28"],
  ]),
]

const wire: readonly Mutation[] = [
  ...of("server/http/respond.ts", [
    ["no-store on tokens", '"cache-control": "no-store", ', "", watch, "one payment opens the door at once"],
  ]),
  ...of("server/adapters/express.ts", [
    [
      "private, no-store on what was paid for",
      'onHeaders(res, () => res.setHeader("cache-control", "private, no-store"))',
      "",
      watch,
      "one payment opens the door at once",
    ],
    [
      "no request of the web is no failure",
      "return createRequest(req, res, place)\n  } catch {",
      "return createRequest(req, res, place)\n  } catch (error) {\n    throw error",
      malformed,
      "HTP-04, HTP-05",
    ],
  ]),
  ...of("server/http/read-body.ts", [
    [
      "a parameter once",
      'if (parameters.has(name)) throw new Refusal("malformed", "Found a parameter given twice.")',
      "",
      malformed,
      "N-6749-2",
    ],
    ["bounded body", "if (size > maximumBodyBytes) throw", "if (false) throw", malformed, "PRS-01"],
  ]),
  ...of("shared/json.ts", [
    [
      "no key given twice",
      "if (inspect(value, maxDepth) !== writtenKeys(text))",
      "if (inspect(value, maxDepth) > writtenKeys(text))",
      "test/shared/codec.test.ts",
      "N-8725-7",
    ],
    [
      "no prototype keys",
      "if (forbiddenKeys.has(key)) throw",
      "if (false) throw",
      "test/shared/codec.test.ts",
      "PRS-04",
    ],
    [
      "bounded depth",
      "if (depth === 0) throw",
      "if (false) throw",
      "test/shared/codec.test.ts",
      "nested too deep",
    ],
  ]),
]

const client: readonly Mutation[] = [
  ...of("client/origins.ts", [
    [
      "token endpoint on the asked origin",
      "const allowed = url && (url.origin === asked.origin || rules.tokenEndpoints.has(url.href))",
      "const allowed = url",
      "test/client/redirects.test.ts",
      "on another place gets nothing",
    ],
  ]),
  ...of("client/policy.ts", [
    [
      "domain of the own table",
      "if ((extra.name ?? name) !== name || (extra.version ?? version) !== version)",
      "if (false)",
      "test/client/policy.test.ts",
      "CLI-08",
    ],
    [
      "recipients that may be paid",
      "if (policy.payTos && !policy.payTos.has(payTo))",
      "if (false)",
      "test/client/rules.test.ts",
      "that is not on the list is refused",
    ],
    [
      "nothing is bought that a call would use up before it passes",
      "if (terms.calls != null && terms.calls < (info.cost ?? 1))",
      "if (false)",
      "test/client/economics.test.ts",
      "nothing that holds fewer than it takes",
    ],
    [
      "limit of one purchase",
      "if (policy.perPurchase !== undefined && micros > policy.perPurchase)",
      "if (false)",
      "test/client/policy.test.ts",
      "CLI-01: the limit of one purchase",
    ],
  ]),
  ...of("client/budget.ts", [
    [
      "limit of one purchase, again",
      '["amount_over_limit", 0n, limits.perPurchase],',
      "",
      "test/client/budget.test.ts",
      "CLI-01: the limit of one purchase",
    ],
    [
      "budget before signing",
      'if (reserved.kind === "over" || reserved.kind === "recipient_changed") throw errorOf(reserved, spending)',
      'if (reserved.kind !== "claim_lost") return true',
      "test/client/budget.test.ts",
      "gets the day's budget and no more",
    ],
    [
      "recipients pinned on first use",
      "return isKnown || isApproved ?",
      "return true ?",
      clientStore,
      "another one is refused until approved",
    ],
    [
      "what is given back is bounded",
      "givenBack + micros <= most",
      "true",
      "test/client/budget.test.ts",
      "a seller who always refuses",
    ],
  ]),
  ...of("client/approval.ts", [
    [
      "only a yes is a yes",
      "if (answer !== true)",
      "if (answer === false)",
      "test/client/rules.test.ts",
      "refuses the purchase, and nothing is signed",
    ],
  ]),
  ...of("client/sale.ts", [
    [
      "origins that may be paid",
      "if (policy.origins && !policy.origins.has(asked.origin))",
      "if (false)",
      "test/client/rules.test.ts",
      "that is not on the list is refused",
    ],
  ]),
  ...of("client/memory-store.ts", [
    [
      "a lost claim keeps nothing",
      "if (!holds(payment.claim) || !entry) return false",
      "if (!entry) return false",
      clientStore,
      "whoever takes over, until it is dropped",
    ],
  ]),
  ...of("client/node/verbs.ts", [
    [
      "one holder of a claim",
      "if (held && held.holder !== holder && held.until > now && !isGone(held)) return false",
      "",
      clientStore,
      "gives a claim to one holder at a time",
    ],
  ]),
  ...of("client/node/file-store.ts", [
    [
      "a lost claim keeps nothing in the file",
      "if (!verbs.holds(payment.claim) || !verbs.markKept(payment.reservation)) return false",
      "verbs.markKept(payment.reservation)",
      clientStore,
      "who has lost his claim",
    ],
  ]),
  ...of("client/booking.ts", [
    [
      "a payment is written down before it is sent",
      "if (!(await store.keep({ ...payment, sends: 1, uncertain: true }))) throw overtaken()",
      "",
      "test/flows/buyer-crash.test.ts",
      "killed at any step",
    ],
  ]),
  ...of("client/refresh.ts", [
    [
      "a refresh under way outlives a crash",
      "await store.change(grant, { refreshSends: sends })",
      "",
      "test/flows/buyer-crash.test.ts",
      "between a refresh and its answer",
    ],
  ]),
  ...of("client/node/private-file.ts", [
    [
      "the client's file is its owner's alone",
      "if ((mode & 0o177) === 0) return undefined",
      "if (mode) return undefined",
      "test/client/processes.test.ts",
      "is its owner's alone",
    ],
  ]),
  ...of("client/payment.ts", [
    [
      "the secret stays out of the first sending",
      "payment.sends > 0 &&",
      "payment.sends >= 0 &&",
      "test/client/purchase.test.ts",
      "which the first sending lacks",
    ],
  ]),
  ...of("client/verify.ts", [
    [
      "a look at prices that no installed client pays for",
      "options.fetch ?? plainFetch",
      "options.fetch ?? ((...call: Parameters<typeof fetch>) => globalThis.fetch(...call))",
      "test/client/global-fetch.test.ts",
      "does not buy one",
    ],
  ]),
  ...of("client/undici.ts", [
    [
      "no dispatch after a redirect to another origin",
      "if (isRedirect(response)) targetOf(response, url)",
      "",
      "test/client/adapters.test.ts",
      "CLI-04: a redirect",
    ],
    [
      "the path of a dispatch cannot name a host",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: source text
      "new URL(`${new URL(origin).origin}${path}`)",
      "new URL(path, origin)",
      "test/client/adapters.test.ts",
      "CLI-12: a path that looks",
    ],
  ]),
  ...of("client/axios.ts", [
    [
      "refusals keep their type through axios",
      "isAxiosError(error) && error.cause instanceof TicketError ? error.cause : error",
      "error",
      "test/client/adapters.test.ts",
      "CLI-01: what is over",
    ],
  ]),
  ...of("client/remote-signer.ts", [
    [
      "the signer's credentials follow no redirect",
      'redirect: "manual"',
      'redirect: "follow"',
      "test/client/signers.test.ts",
      "CLI-04",
    ],
  ]),
  ...of("client/provider-signer.ts", [
    [
      "signatures in the one spelling that the chain takes",
      "v === undefined ? hex :",
      "v !== undefined ? hex :",
      "test/client/signers.test.ts",
      "spellings of wallets",
    ],
    [
      "a wallet is on the payment's chain when it signs",
      'if ("chainId" in typedData.domain) await switchTo(typedData.domain.chainId, ask)',
      "",
      "test/client/signers.test.ts",
      "another chain is asked to switch",
    ],
  ]),
  ...of("client/fetch.ts", [
    [
      "a POST does not reach the handler twice",
      "return isGates || idempotentMethods.has(method)",
      "return true",
      "test/client/calls.test.ts",
      "is not made again",
    ],
  ]),
  ...of("client/delivery.ts", [
    [
      "the same payment again",
      "    await store.keep(payment)\n",
      "    await store.drop(payment)\n",
      "test/client/purchase.test.ts",
      "a payment without an answer is kept",
    ],
  ]),
  ...of("client/request.ts", [
    [
      "redirects by hand",
      'redirect: "manual",\n    signal',
      'redirect: "follow",\n    signal',
      "test/client/redirects.test.ts",
      "to another origin is not followed",
    ],
  ]),
  ...of("client/office.ts", [
    [
      "payments are not redirected",
      'redirect: "manual",',
      'redirect: "follow",',
      "test/client/redirects.test.ts",
      "a payment is not redirected",
    ],
  ]),
]

const recovery = "test/flows/recovery.test.ts"
const reconcile = "test/flows/reconcile.test.ts"

const books: readonly Mutation[] = [
  ...of("server/books/keeper.ts", [
    [
      "no sale before the books are complete",
      'if (!complete.has(network)) throw new Refusal("recovering")',
      "",
      recovery,
      "KEY-09: sells nothing",
    ],
  ]),
  ...of("server/books/catch-up.ts", [
    [
      "payments since the backup are taken in",
      "payments: found,",
      "payments: [],",
      recovery,
      "KEY-09: sells nothing",
    ],
  ]),
  ...of("server/grants/payment.ts", [
    [
      "a sale that the books lost is answered",
      'if (grant.ended?.reason === "lost") throw new Refusal("grant_lost")',
      "",
      recovery,
      "KEY-09: sells nothing",
    ],
  ]),
  ...of("server/grants/refresh-token.ts", [
    [
      "a grant that the books lost is not bought again by a machine",
      'throw new Refusal("grant_lost")',
      'throw new Refusal("refresh_token_invalid")',
      recovery,
      "KEY-09: sells nothing",
    ],
  ]),
  ...of("server/core/reconciliation.ts", [
    [
      "money that is in no row is a difference",
      "const strange = paid.filter((each) => !agrees(each.row, each))",
      "const strange: readonly Paid[] = []",
      reconcile,
      "SET-45: names money",
    ],
    [
      "a paid row without its transfer is a difference",
      "const missing = proven.filter((row) => !agrees(row, byPlace.get(placeOf(row.evidence))))",
      "const missing: readonly Redemption[] = []",
      reconcile,
      "SET-45: names a row",
    ],
  ]),
  ...of("server/core/invariants.ts", [
    [
      "totals are held against the rows",
      "value !== unsettled,",
      "false,",
      reconcile,
      "names every invariant",
    ],
  ]),
  ...of("server/stores/sqlite-file.ts", [
    [
      "no database on a network file system",
      "checkFileSystem(file, fileSystemOf(folder))",
      "",
      sqlite,
      "KEY-10",
    ],
  ]),
]

const revocation = "test/flows/revocation.test.ts"
const proxies = "test/flows/proxies.test.ts"
const verifier = "test/client/verify.test.ts"

const takenBack: readonly Mutation[] = [
  ...of("shared/revocation.ts", [
    [
      "rules of the list",
      "tokens.has(jti) || rules.some(",
      "tokens.has(jti) || [].some(",
      verifier,
      "no rule ever",
    ],
    ["tokens of the list", "tokens.has(jti) || rules.some(", "rules.some(", verifier, "TOK-21, N-7009-1"],
  ]),
  ...of("server/introspection.ts", [
    [
      "introspection for those who may ask",
      "if (!credentials || !isSecret(credentials.secret, secrets.get(credentials.id)))",
      "if (false)",
      revocation,
      "N-7662-1",
    ],
  ]),
  ...of("server/revocation.ts", [
    [
      "a client's token is the client's",
      "if (isClients(found.grant) && credentials?.id !== found.grant.subject)",
      "if (false)",
      revocation,
      "by that client only",
    ],
  ]),
  ...of("server/stores/sqlite-revocations.ts", [
    ["a rule is published", "records.publish(sequence, ruleOf(target, now), now)", "", store, "by one rule"],
  ]),
  ...of("server/stores/sqlite-whitelist.ts", [
    [
      "removal ends grants",
      'records.endGrantsOf(left, "delisted", at)',
      "",
      store,
      "WL-09: what left the whitelist",
    ],
  ]),
  ...of("server/http/routes.ts", [
    [
      "routes by the path as it was sent",
      "const route = routeOf(caller.path)",
      "const route = routeOf(new URL(request.url).pathname)",
      proxies,
      "HTP-01, HTP-02",
    ],
  ]),
  ...of("server/http/gate.ts", [
    [
      "a refusal is never a success",
      'if (form === "refusal") return',
      "if (false) return",
      proxies,
      "says 200 or 401 and nothing else",
    ],
  ]),
  ...of("client/verify.ts", [
    ["age of the list", "return !isFinal && news.age() > staleSeconds", "return false", verifier, "TOK-22"],
  ]),
  ...of("client/issuer-news.ts", [
    [
      "keys asked for now and then",
      "if (now() >= keysAt + keySeconds) await readKeys()",
      "await readKeys()",
      verifier,
      "TOK-25",
    ],
    ["the issuer's own origin", "url.origin !== new URL(issuer).origin || ", "", verifier, "goes nowhere"],
    ["removed keys", "!removed.has(kid) &&", "", verifier, "TOK-26"],
  ]),
]

const proofs: readonly Mutation[] = [
  ...of("server/grants/wallet-proof.ts", [
    [
      "wallet proof: a nonce is used once",
      'if (use === "used") throw new Refusal("wallet_proof_refused")',
      "",
      "test/flows/wallet-proof.test.ts",
      "RPL-25, WL-05",
    ],
    [
      "wallet proof: the account signed it",
      "if (signer !== account || !entry)",
      "if (!entry)",
      "test/flows/wallet-proof.test.ts",
      "WL-06",
    ],
  ]),
  ...of("server/core/dpop.ts", [
    [
      "DPoP: a proof is for one address",
      'if (readProofAddress(claims.htu) !== request.address) return "Its htu is another address."',
      "",
      dpop,
      "N-9449-2",
    ],
    [
      "DPoP: a proof is for one method",
      'if (claims.htm !== request.method) return "Its htm is another method."',
      "",
      dpop,
      "N-9449-2",
    ],
    [
      "DPoP: a proof is for one token",
      'if (token && claims.ath !== token.hash) return "Its ath is not that of the token."',
      "",
      dpop,
      "N-9449-3",
    ],
    [
      "DPoP: a proof is by the token's key",
      "if (token && thumbprint !== token.thumbprint)",
      "if (false)",
      dpop,
      "N-9449-3",
    ],
  ]),
  ...of("server/dpop.ts", [
    [
      "DPoP: a proof is used once",
      'if (use === "used") return unproven("It was used before.")',
      "",
      dpop,
      "N-9449-6",
    ],
    ["DPoP: a nonce is fresh", "return [0, 1].find(", "return [0, 1, 2].find(", dpop, "N-9449-5"],
  ]),
  ...of("server/gate.ts", [
    [
      "DPoP: a bound token is no bearer token",
      'if (isBound !== (scheme === "dpop"))',
      "if (false)",
      dpop,
      "N-9449-4",
    ],
  ]),
  ...of("server/core/grant.ts", [
    [
      "DPoP: a refresh is by the grant's key",
      "if (isBound && request.keyThumbprint !== grant.keyThumbprint)",
      "if (false)",
      "test/server/core/grant.test.ts",
      "bound to a key",
    ],
  ]),
]

const derived: readonly Mutation[] = [
  ...of("server/core/derive.ts", [
    [
      "what was derived yields no further one",
      'if (parent.parent !== null) return refused("token_derived")',
      "",
      store,
      "yield no further ones",
    ],
    [
      "no scope is derived that the holder does not have",
      'if (!includesScope(parent.scope, scope)) return refused("invalid_scope")',
      "",
      store,
      "at most the scope, the units",
    ],
    [
      "a stolen access token yields none that outlives it",
      "request.shownUntil ?? parent.expiresAt,",
      "parent.expiresAt,",
      store,
      "at most the scope, the units",
    ],
    [
      "a bound token is derived from with its key only",
      'if (parent.keyThumbprint !== null && request.keyThumbprint !== parent.keyThumbprint)\n    return refused("dpop_key_mismatch")',
      "",
      store,
      "come only of what is shown whole",
    ],
    [
      "a bounded number an hour",
      "if (recent >= derivedPerHour)",
      "if (recent < 0)",
      store,
      "so many an hour",
    ],
  ]),
  ...of("shared/revocation.ts", [
    [
      "what was derived ends with its parent at every gate",
      "?? (parent === undefined ? undefined : grants.get(parent))",
      "",
      "test/flows/derive.test.ts",
      "ends with what it came from",
    ],
  ]),
  ...of("server/stores/sqlite-units.ts", [
    [
      "a derived grant spends what its parent has",
      "return [own, parent].filter((grant) => grant !== null)",
      "return [own, parent].filter((grant) => grant !== null).slice(0, 1)",
      store,
      "spend what their parent has",
    ],
  ]),
]

const credit = "test/server/core/credit.test.ts"
const topUps: readonly Mutation[] = [
  ...of("server/core/credit.ts", [
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
  ...of("server/core/units.ts", [
    [
      "what gates hold of one offer never comes back as another's",
      "writtenOff({ given, left, held: 0, spent: spent + held })",
      "({ given, left, held, spent })",
      credit,
      "counts as used what gates hold",
    ],
  ]),
  ...of("server/grants/payment.ts", [
    [
      "a payment is good for the grant it commits to",
      "grant: target?.grantId })",
      "grant: undefined })",
      "test/flows/top-up.test.ts",
      "RPL-24: is good for the grant",
    ],
    [
      "a further payment is retried with its own secret",
      "opening: topUp.opening, idempotencyHash: null",
      "idempotencyHash: null",
      "test/flows/top-up.test.ts",
      "a retry with its secret",
    ],
  ]),
]

const units: readonly Mutation[] = [
  ...of("server/stores/sqlite-units.ts", [
    [
      "a slice is taken from what is left",
      "saveMeter(id, take(meter, units))",
      "void take(meter, units)",
      "test/contracts/store.test.ts",
      "lends out what was sold",
    ],
  ]),
  ...of("server/core/units.ts", [
    [
      "no slice of more than is left",
      "if (left < cost) return 0",
      "",
      "test/server/metering.test.ts",
      "exactly as many",
    ],
    [
      "a report told twice counts once",
      "spent: spent - slice.spent, unused: unused - slice.unused",
      "spent, unused",
      "test/contracts/store.test.ts",
      "notes what became of a slice once",
    ],
    [
      "no report of more than was taken",
      " && spent + unused <= slice.units",
      "",
      "test/server/core/units.test.ts",
      "taken back by a report",
    ],
  ]),
  ...of("server/metering.ts", [
    [
      "no call without units",
      "current.available >= cost",
      "current.available >= 0",
      "test/server/metering.test.ts",
      "TOK-32",
    ],
    [
      "a failed call gives its units back",
      'if (outcome === "kept") lot.spent += cost',
      "if (outcome) lot.spent += cost",
      "test/server/metering.test.ts",
      "TOK-33",
    ],
  ]),
  ...of("server/adapters/express.ts", [
    ["5xx is free of charge", "res.headersSent && isFailed()", "false", "test/flows/units.test.ts", "TOK-33"],
  ]),
  ...of("client/challenge.ts", [
    [
      "a used-up grant is not refreshed but bought anew",
      ' || error === "token_exhausted"',
      "",
      "test/flows/units.test.ts",
      "sells the next grant",
    ],
    [
      "a 402 is read within its time",
      ", AbortSignal.timeout(timeoutMs))",
      ")",
      "test/client/hostile.test.ts",
      "nothing is overspent",
    ],
  ]),
  ...of("server/gate.ts", [
    [
      "counted calls are counted",
      "if (!claims.metered) return",
      "if (claims) return",
      "test/flows/units.test.ts",
      "TOK-32",
    ],
  ]),
]

const commands: readonly Mutation[] = [
  ...of("client/cli/private-text.ts", [
    [
      "keys and passwords that others can read are not used",
      "if (flaw) throw",
      "if (!flaw) throw",
      "test/client/cli.test.ts",
      "CLI-20: a key file or a password file",
    ],
    [
      "no key is written over",
      'flag: "wx"',
      'flag: "w"',
      "test/client/cli.test.ts",
      "CLI-20: two that make an account at once",
    ],
  ]),
  ...of("client/cli/keystore.ts", [
    [
      "the address of the file is that of its key",
      "address && parseAddress(account.address) !== address",
      "false",
      "test/client/cli.test.ts",
      "CLI-20: a wrong password",
    ],
  ]),
  ...of("client/cli/fetch.ts", [
    [
      "agreed in advance are prices, not recipients",
      'isAgreed && purchase.reason === "price"',
      "isAgreed",
      "test/client/cli.test.ts",
      "CLI-08: nobody agrees in advance",
    ],
  ]),
]

const strangersAtTheDoor: readonly Mutation[] = [
  ...of("server/grants/payment.ts", [
    [
      "nothing is sold at a door that it would not open",
      'if (request.door && !opens(payment.offer, request.door)) throw new Refusal("offer_elsewhere")',
      "",
      walkUp,
      "HTP-02",
    ],
  ]),
  ...of("server/core/offers.ts", [
    [
      "nothing is sold at a door that asks for more of it",
      "(offer.units === null || offer.units >= door.cost) &&",
      "",
      walkUp,
      "HTP-02",
    ],
  ]),
  ...of("server/http/walk-up.ts", [
    [
      "no second payment is asked for what was paid for",
      "wantsMoney(reason) ? office.refuse(path, afterPayment[reason]) : undefined",
      "undefined",
      walkUp,
      "IDM-06",
    ],
    [
      "the rate of a peer at the door",
      "{ ...caller, path, door }",
      '{ ...caller, peer: "", path, door }',
      walkUp,
      "DOS-02",
    ],
  ]),
  ...of("server/adapters/express.ts", [
    [
      "a token beside a payment decides alone",
      "!shown.payment || shown.authorization.length > 0 || shown.queryToken",
      "!shown.payment",
      walkUp,
      "TOK-01",
    ],
    [
      "what was bought is the buyer's, however the call ends",
      "for (const [name, value] of Object.entries(entry?.headers ?? {})) res.setHeader(name, value)",
      "",
      walkUp,
      "CLI-14",
    ],
  ]),
  ...of("server/http/token.ts", [
    [
      "one version of x402 in a request",
      "if (header !== null && headerV1 !== null)",
      "if (false)",
      walkUp,
      "HTP-08",
    ],
  ]),
  ...of("server/http/x402-v1.ts", [
    [
      "a v1 payment is for what was signed",
      "entry.amount === value && entry.payTo.toLowerCase() === to.toLowerCase()",
      "true",
      walkUp,
      "pays for the offer named",
    ],
  ]),
  ...of("client/x402.ts", [
    [
      "the hook's tokens stay with who sold them",
      'const key = [office, resource, offer].join(" ")',
      'const key = ""',
      hook,
      "CLI-12",
    ],
    [
      "the hook knows who asked, or does nothing",
      "if (origin === undefined || !info) return undefined",
      "if (!info) return undefined",
      hook,
      "CLI-12",
    ],
    ["the hook's payment follows no redirect", 'redirect: "error"', 'redirect: "follow"', hook, "CLI-13"],
    ["the hook counts calls", "ticket.callsLeft -= cost", "", hook, "buys again when"],
  ]),
]

export const mutations: readonly Mutation[] = [
  ...units,
  ...derived,
  ...topUps,
  ...takenBack,
  ...redeemedOnce,
  ...offersAndLimits,
  ...strangers,
  ...tokens,
  ...proofs,
  ...money,
  ...wire,
  ...client,
  ...commands,
  ...books,
  ...strangersAtTheDoor,
]
