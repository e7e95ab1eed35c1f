/** A payment is redeemed once. */
import { at, type Mutation } from "../mutation.ts"

const sqlite = "test/server/stores/sqlite.test.ts"
const replay = "test/flows/replay.test.ts"
const evm = "test/shared/evm.test.ts"
const contracts = "test/flows/contract-payers.test.ts"

export const redeemedOnce: readonly Mutation[] = [
  ...at("server/stores/sqlite/schema.ts", [
    ["unique redemption key", "key TEXT NOT NULL UNIQUE,", "key TEXT NOT NULL,", sqlite, "RPL-02"],
    [
      "unique evidence",
      "CREATE UNIQUE INDEX redemptions_by_evidence",
      "CREATE INDEX redemptions_by_evidence",
      sqlite,
      "RPL-02",
    ],
  ]),
  ...at("server/stores/sqlite/intake.ts", [
    [
      "claim and look-up in one transaction",
      'if (known) return { kind: "repeated", ...known }\n      if (isHashTaken(order))',
      "if (isHashTaken(order))",
      "test/contracts/store.test.ts",
      "changes nothing at a repeated claim",
    ],
  ]),
  ...at("shared/values/evm.ts", [
    ["low s of payments", "return s > 0n && s <= halfOrder", "return s > 0n", evm, "RPL-09, RPL-10"],
    ["v 27 or 28 only", 'if (v !== "1b" && v !== "1c") return false', "", evm, "RPL-09, RPL-10"],
  ]),
  ...at("server/grants/payment/index.ts", [
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
  ...at("server/grants/payment/buyer.ts", [
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
  ]),
  ...at("server/core/grant.ts", [
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
  ...at("shared/refusals.ts", [
    [
      "no 402 for an accepted payment",
      "authorization_conflict: {\n    status: 409,",
      "authorization_conflict: {\n    status: 402,",
      replay,
      "RPL-01",
    ],
  ]),
]
