/** Payments get onto the chain, and the chain's word is taken with care. */
import { at, type Mutation } from "../mutation.ts"

const store = "test/contracts/store.test.ts"
const sqlite = "test/server/stores/sqlite.test.ts"
const settlement = "test/server/settlement/settlement.test.ts"
const batch = "test/server/settlement/batch.test.ts"
const relayer = "test/server/chains/relayer.test.ts"
const lanes = "test/server/settlement/lanes.test.ts"
const nodes = "test/server/chains/nodes.test.ts"
const twoNodes = "test/flows/two-nodes.test.ts"

export const money: readonly Mutation[] = [
  ...at("server/stores/sqlite/file.ts", [
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
  ...at("server/settlement/send.ts", [
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
  ...at("server/stores/verbs/rules.ts", [
    [
      "a lease of the future is not waited for",
      "return now < expiresAt && !setBack",
      "return now < expiresAt",
      store,
      "SET-42",
    ],
  ]),
  ...at("server/settlement/resend.ts", [
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
  ...at("server/core/verdict.ts", [
    [
      "dead letters",
      'if (redemption.failure === null && redemption.attempts + 1 >= maxAttempts) return { to: "dead", error }\n',
      "",
      lanes,
      "SET-41: a payment that can never be worked on",
    ],
  ]),
  ...at("server/settlement/finality.ts", [
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
  ...at("server/settlement/send.ts", [
    [
      "a batch within the relayer's balance",
      "const gas = least(open.map((lane) => lane.affordable).reduce(most, 0n), limits.maxBatchGas)",
      "const gas = limits.maxBatchGas",
      batch,
      "no more gas than the relayer can vouch for",
    ],
  ]),
  ...at("server/settlement/batch.ts", [
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
  ...at("server/chains/relayer.ts", [
    [
      "every call of a batch looked at",
      "return aggregator.decode(data).every(isSettlement)",
      "return aggregator.decode(data).length > 0",
      relayer,
      "no batch with any other call in it",
    ],
  ]),
  ...at("server/stores/sqlite/worker.ts", [
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
  ...at("shared/schemes/exact-eip3009.ts", [
    [
      "paid by the asset's next log only",
      "const next = ofAsset[at + 1]",
      "const next = ofAsset.slice(at + 1).find((log) => amountMoved(log, transfer) !== undefined)",
      "test/shared/evm.test.ts",
      "N-3009-3",
    ],
  ]),
  ...at("server/chains/node.ts", [
    [
      "chain id of a node",
      "if (found !== network.chainId)",
      "if (false)",
      "test/server/chains/evm.test.ts",
      "SET-30",
    ],
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
  ...at("server/settlement/context.ts", [
    [
      "a node of another chain is no try of a payment",
      "const outages = [ChainUnavailable, ChainMismatch, ",
      "const outages = [ChainUnavailable, ",
      settlement,
      "SET-30: a node that turns out",
    ],
  ]),
  ...at("server/settlement/confirm.ts", [
    [
      "a second node's word for what is paid",
      'const counts = deep && (await witness(row, evidence)) === "confirmed"',
      "const counts = deep",
      twoNodes,
      "SET-29: is not settled on the word of one node",
    ],
  ]),
  ...at("server/grants/payment/index.ts", [
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
  ...at("server/chains/nodes.ts", [
    ["no answer of a node that lags", "if (heads.isCurrent(told.block)) {", "if (true) {", nodes, "SET-28"],
  ]),
]
