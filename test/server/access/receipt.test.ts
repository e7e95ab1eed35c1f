import { expect, it } from "vitest"
import { createReceipts } from "../../../server/access/receipt.ts"
import { openGrant } from "../../../server/core/grant.ts"
import type { LedgerEntry } from "../../../server/core/ledger-facts.ts"
import type { Redemption, RedemptionState } from "../../../server/core/redemption.ts"
import type { Receipt } from "../../../shared/oauth/receipt.ts"

const now = 1_800_000_000
const hash = `0x${"ab".repeat(32)}` as const
const grant = openGrant({
  id: "grant",
  offer: "hour@00000000",
  scope: "movies:read",
  subject: "eip155:1:0xabc",
  paid: true,
  startsAt: now,
  expiresAt: now + 3600,
  opening: hash,
  idempotencyHash: null,
  meter: null,
  keyThumbprint: null,
  resource: null,
  token: { jti: "j", issuedAt: now, expiresAt: now + 300, settled: true },
})
const entry = (kind: LedgerEntry["kind"], sequence: number) =>
  ({
    sequence,
    at: now + sequence,
    kind,
    grantId: grant.id,
    redemptionKey: "key",
    facts: { offer: "hour@00000000" },
  }) as LedgerEntry

/** The receipt, or the refusal, for a payment that was settled, reopened and is now in `state`. */
async function receiptIn(state: RedemptionState): Promise<string> {
  const redemption = {
    key: "key",
    grantId: grant.id,
    network: "eip155:1",
    asset: "0xa0",
    transfer: { payer: "0xabc", payTo: "0xdef", value: 10_000n },
    state,
    evidence: { transactionHash: hash, logIndex: 7, blockNumber: 1n, blockHash: hash },
  } as unknown as Redemption
  const receipts = createReceipts(
    {
      find: async () => ({ grant, redemption }),
      store: {
        payments: async () => [redemption],
        history: async () => ({
          redemption,
          transactions: [],
          entries: [entry("redeemed", 1), entry("settled", 2), entry("reopened", 3)],
        }),
      },
      keys: { signReceipt: async ({ payment }: Receipt) => `settled at ${payment.settled_at}` },
      now: () => now,
    },
    "https://cinema.example",
  )
  return receipts({ accessToken: undefined, secret: hash, idempotencyKey: undefined }).then(
    ({ receipt }) => receipt,
    (refusal) => refusal.reason,
  )
}

it("a receipt is issued while its payment is settled and withdrawn with its block", async () => {
  const states = ["accepted", "sent", "mined", "dead", "failed", "paid", "final"] as const
  const seen = Object.fromEntries(
    await Promise.all(states.map(async (state) => [state, await receiptIn(state)] as const)),
  )
  expect(seen).toEqual({
    accepted: "receipt_pending",
    sent: "receipt_pending",
    mined: "receipt_pending",
    dead: "receipt_pending",
    failed: "settlement_failed",
    paid: `settled at ${now + 2}`,
    final: `settled at ${now + 2}`,
  })
})
