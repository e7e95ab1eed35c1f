/** Decides the next state of a redemption from the evidence on the chain. */
import type { ChainLog, Scheme, TransferOutcome } from "../../shared/schemes/scheme.ts"
import type { Hex } from "../../shared/values/evm.ts"
import type { Evidence, FailureReason, Move, Redemption } from "./redemption.ts"
import { retryDelay } from "./retry.ts"

/** One read of all facts about a payment, at one block. */
export type TransferReading = {
  /** Hash of the payer's code; null without any. */
  readonly payerCode: Hex | null
  /** Atomic units of the asset. */
  readonly balance: bigint
  /** The once-only key was used, or cancelled. */
  readonly used: boolean
  /** The exact transfer succeeds, and this much arrives at payTo. */
  readonly transferred: boolean
  readonly received: bigint
  readonly blockNumber: bigint
  readonly blockTime: number
}

/** The outcome that one receipt proves about the payment. */
export type Finding = {
  readonly outcome: TransferOutcome
  readonly block: Pick<Evidence, "transactionHash" | "blockNumber" | "blockHash">
}

type ReceiptFacts = Finding["block"] & { readonly success: boolean; readonly logs: readonly ChainLog[] }

/** Reads the evidence of one receipt about a payment. A transaction that failed proves nothing. */
export const findingOf = (
  { transactionHash, blockNumber, blockHash, success, logs }: ReceiptFacts,
  scheme: Scheme,
  { asset, transfer }: Pick<Redemption, "asset" | "transfer">,
): Finding => ({
  outcome: success ? scheme.outcome(logs, asset, transfer) : { kind: "silent" },
  block: { transactionHash, blockNumber, blockHash },
})

/** The finding that decides: a transfer that paid, else one that ended the payment in another way. */
export const decisive = (findings: readonly Finding[]): Finding | undefined =>
  findings.find(({ outcome }) => outcome.kind === "paid") ??
  findings.find(({ outcome }) => outcome.kind !== "silent")

/** Why the payment may be lost, and the block at which it was first seen so. */
export type Doubt = { readonly failure: FailureReason; readonly sinceBlock: bigint }

export type Verdict =
  /** The transfer goes through now. */
  | { readonly kind: "send" }
  | { readonly kind: "move"; readonly move: Move }
  /** Nothing is proven: look again. */
  | { readonly kind: "wait"; readonly seconds: number; readonly doubt: Doubt | null }

export type Examined = {
  /** In state `accepted` or `failed`, or `sent` in a transaction that did not pay. */
  readonly redemption: Redemption
  readonly reading: TransferReading
  /** Receipts with a log of the nonce; looked for once the nonce is used. */
  readonly findings: readonly Finding[]
  /** A transaction that carried it was mined and did not pay, though the asset was not paused. */
  readonly tried: boolean
  /** A simulation with the sender, gas and fees of a transaction failed: stronger evidence than the reading. */
  readonly refused: boolean
  /** From the look before, if there was one. */
  readonly doubt: Doubt | null
  readonly confirmations: number
  readonly blockSeconds: number
  readonly now: number
  /** In [0, 1). */
  readonly chance: number
}

/** An asset that refuses may be paused for a moment: so many looks before it is a failure. */
const refusals = 3
/** How long after `validBefore` a failed payment is looked at once more: somebody else may have submitted it. */
const lastLookSeconds = 60

export function judge(examined: Examined): Verdict {
  const { redemption, reading } = examined
  if (reading.used) return judgeUsed(examined)
  const { validBefore, value } = redemption.transfer
  if (reading.blockTime >= validBefore) {
    if (isExpired(examined)) return fail(redemption.failure ?? "expired", null)
    return wait(examined.blockSeconds)
  }
  if (redemption.failure) return wait(Number(validBefore) - reading.blockTime + lastLookSeconds)
  // Code can pass a simulation and refuse in a transaction, so it gets one try: a second would only cost more gas.
  if (examined.tried && hasCode(examined))
    return fail("contract_payer", Number(validBefore) + lastLookSeconds)
  if (reading.transferred && reading.received >= value) {
    if (!examined.refused) return { kind: "send" }
    // Without code the payer cannot tell the two apart, so they saw different blocks: a stale read fails no payment.
    if (!hasCode(examined)) return wait(retryDelay(redemption.attempts, examined.chance))
  }
  return judgeRefused(examined)
}

/** "Used" may mean paid, diverted or cancelled: the logs decide, and without a log nothing does. */
function judgeUsed({ redemption, reading, findings, confirmations, chance }: Examined): Verdict {
  const found = decisive(findings)
  if (!found) return wait(retryDelay(redemption.attempts, chance))
  const { outcome, block } = found
  const deep = depthOf(block.blockNumber, reading.blockNumber) >= confirmations
  if (outcome.kind === "paid") {
    const evidence = { ...block, logIndex: outcome.logIndex }
    if (deep) return { kind: "move", move: { to: "paid", evidence } }
    // A failure is undone by money that is in for good only.
    if (redemption.state === "failed") return wait(lastLookSeconds)
    return { kind: "move", move: { to: "mined", evidence } }
  }
  if (outcome.kind === "silent" || !deep) return wait(retryDelay(redemption.attempts, chance, 8))
  // The ledger has named a failure already, so it keeps its name.
  return fail(redemption.failure ?? outcome.kind, null)
}

/** The transfer does not go through though its nonce is free; one look proves nothing, so the first is a doubt. */
function judgeRefused({ redemption, reading, doubt, confirmations, chance }: Examined): Verdict {
  const { value, validBefore } = redemption.transfer
  // The payment was accepted at a later block: a node that lags behind it may not know the payer's money yet.
  if (reading.blockNumber < redemption.fromBlock) return wait(retryDelay(redemption.attempts, chance, 8))
  const failure =
    reading.payerCode !== null
      ? "contract_payer"
      : reading.balance < value
        ? "insufficient_funds"
        : "refused_by_asset"
  const before = doubt?.failure === failure ? doubt : null
  const deep = before !== null && depthOf(before.sinceBlock, reading.blockNumber) >= confirmations
  const patient = failure === "refused_by_asset"
  if (deep && (!patient || redemption.attempts >= refusals))
    return fail(failure, Number(validBefore) + lastLookSeconds)
  const seconds = retryDelay(redemption.attempts, chance, patient ? 60 : 8)
  return wait(seconds, before ?? { failure, sinceBlock: reading.blockNumber })
}

/** Code at the sale counts as well: a delegation can be switched off for the moment of a read. */
const hasCode = ({ redemption, reading }: Examined): boolean =>
  redemption.payerCode !== null || reading.payerCode !== null

/** The first block too late for the transfer is confirmed, judged by the usual time between blocks. */
const isExpired = ({ redemption, reading, confirmations, blockSeconds }: Examined): boolean =>
  reading.blockTime >= Number(redemption.transfer.validBefore) + (confirmations - 1) * blockSeconds

/** The move of a row that is not sent at once. */
export function moveOf(
  verdict: Verdict,
  {
    redemption,
    now,
    chance,
    maxAttempts,
    error = errorOf(verdict),
  }: Pick<Examined, "redemption" | "now" | "chance"> & {
    /** Tries that may lead nowhere. */
    readonly maxAttempts: number
    /** Why this one did. */
    readonly error?: string | undefined
  },
): Move {
  if (verdict.kind === "move") return verdict.move
  if (redemption.failure === null && redemption.attempts + 1 >= maxAttempts) return { to: "dead", error }
  if (verdict.kind === "send") {
    // Simulated well and then not paid: again at once, but not again and again.
    const seconds = redemption.attempts === 0 ? 0 : retryDelay(redemption.attempts, chance)
    return { to: "accepted", dueAt: now + seconds, error }
  }
  if (redemption.failure)
    return {
      to: "failed",
      failure: redemption.failure,
      dueAt: now + Math.max(verdict.seconds, lastLookSeconds),
    }
  return { to: "accepted", dueAt: now + verdict.seconds, error }
}

function errorOf(verdict: Verdict): string {
  if (verdict.kind === "send") return "its transaction did not pay, though the transfer goes through"
  const doubt = verdict.kind === "wait" ? verdict.doubt : null
  return doubt ? `the transfer does not go through (${doubt.failure})` : "nothing is proven yet"
}

/** Blocks from this one to the newest, both counted. */
export const depthOf = (blockNumber: bigint, head: bigint): number => Number(head - blockNumber + 1n)

const wait = (seconds: number, doubt: Doubt | null = null): Verdict => ({ kind: "wait", seconds, doubt })
const fail = (failure: FailureReason, dueAt: number | null): Verdict => ({
  kind: "move",
  move: { to: "failed", failure, dueAt },
})
