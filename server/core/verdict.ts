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

/**
 * Why the payment may be lost, and the block at which it was first seen so. A null `failure`: no simulation had a result.
 */
export type Doubt = { readonly failure: FailureReason | null; readonly sinceBlock: bigint }

export type Verdict =
  /** The transfer goes through now. */
  | { readonly kind: "send" }
  | { readonly kind: "move"; readonly move: Move }
  /** Nothing is proven: look again. */
  | { readonly kind: "wait"; readonly seconds: number; readonly doubt: Doubt | null }

export type Examined = {
  /** Waiting, failed, or in a transaction that did not pay. */
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

/** A suspended payment is looked at again after this at the latest: the asset may accept it in any block. */
const suspendedLookSeconds = 8
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
  if (redemption.state === "failed") return wait(Number(validBefore) - reading.blockTime + lastLookSeconds)
  // Its money came after the failure, and a reorg removed it: the payment has failed once more, and is not sent.
  if (hasFailed(redemption)) return fail(redemption.failure, lastLookAt(redemption))
  // Code can pass a simulation and refuse in a transaction, so it gets one try: a second would only cost more gas.
  if (examined.tried && hasCode(examined)) return fail("contract_payer", lastLookAt(redemption))
  const goesThrough = reading.transferred && reading.received >= value
  if (goesThrough && !examined.refused) return { kind: "send" }
  // The payment was accepted at a later block: a node that lags behind it may not know the payer's money yet.
  if (reading.blockNumber < redemption.fromBlock)
    return wait(retryDelay(redemption.attempts, examined.chance, 8))
  if (hasCode(examined)) return judgeCode(examined)
  // Without code the payer cannot tell the two simulations apart, so they saw different blocks.
  const refusal = reading.balance < value ? "insufficient_funds" : "refused_by_asset"
  return judgeRefused(examined, { failure: goesThrough ? null : refusal, sinceBlock: reading.blockNumber })
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
    if (redemption.state === "suspended") return wait(retryDelay(0, chance))
    return { kind: "move", move: { to: "mined", evidence } }
  }
  if (outcome.kind === "silent" || !deep) return wait(retryDelay(redemption.attempts, chance, 8))
  // The ledger has named a failure already, so it keeps its name.
  return fail(hasFailed(redemption) ? redemption.failure : outcome.kind, null)
}

/** Code never gets another chance: it refuses in two distinct blocks, and the payment fails at confirmation depth. */
function judgeCode({ redemption, reading, doubt, confirmations, chance }: Examined): Verdict {
  const { blockNumber } = reading
  const before = doubt?.failure === "contract_payer" ? doubt : null
  if (before && before.sinceBlock < blockNumber && depthOf(before.sinceBlock, blockNumber) >= confirmations)
    return fail("contract_payer", lastLookAt(redemption))
  return wait(
    retryDelay(redemption.attempts, chance, 8),
    before ?? { failure: "contract_payer", sinceBlock: blockNumber },
  )
}

type Refused = Pick<Examined, "redemption" | "doubt" | "now" | "chance">

/**
 * The transfer of a plain payer does not go through, or could not be simulated, though its nonce is free. One block proves
 * nothing: the asset may be paused for a moment. `seen.sinceBlock` is the block of this look.
 */
export function judgeRefused({ redemption, doubt, now, chance }: Refused, seen: Doubt): Verdict {
  const { failure, sinceBlock: blockNumber } = seen
  const isSuspended = redemption.state === "suspended"
  if (!isSuspended && !(doubt && doubt.sinceBlock < blockNumber))
    return wait(retryDelay(redemption.attempts, chance, 8), doubt ? { ...doubt, failure } : seen)
  return {
    kind: "move",
    move: {
      to: "suspended",
      failure: failure ?? (isSuspended ? redemption.failure : null),
      dueAt: now + retryDelay(16, chance, suspendedLookSeconds),
      error: doubtful(failure),
    },
  }
}

/** A failure is final for this service, whether or not money came afterwards. */
const hasFailed = (row: Redemption): row is Redemption & { readonly failure: FailureReason } =>
  row.failure !== null && row.state !== "suspended"

const lastLookAt = ({ transfer }: Redemption): number => Number(transfer.validBefore) + lastLookSeconds

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
  const { state, attempts, failure } = redemption
  const again = attempts === 0 ? 0 : retryDelay(attempts, chance)
  // Simulated well and then not paid: again at once, but not again and again.
  const dueAt = now + (verdict.kind === "send" ? again : verdict.seconds)
  if (state === "failed" && failure)
    return { to: "failed", failure, dueAt: Math.max(dueAt, now + lastLookSeconds) }
  if (state === "suspended") return { to: "suspended", failure, dueAt, error }
  if (attempts + 1 >= maxAttempts) return { to: "dead", error }
  return { to: "accepted", dueAt, error }
}

function errorOf(verdict: Verdict): string {
  if (verdict.kind === "send") return "its transaction did not pay, though the transfer goes through"
  const doubt = verdict.kind === "wait" ? verdict.doubt : null
  return doubt ? doubtful(doubt.failure) : "nothing is proven yet"
}

const doubtful = (failure: FailureReason | null): string =>
  failure ? `the transfer does not go through (${failure})` : "the transfer could not be simulated"

/** Blocks from this one to the newest, both counted. */
export const depthOf = (blockNumber: bigint, head: bigint): number => Number(head - blockNumber + 1n)

const wait = (seconds: number, doubt: Doubt | null = null): Verdict => ({ kind: "wait", seconds, doubt })
const fail = (failure: FailureReason, dueAt: number | null): Verdict => ({
  kind: "move",
  move: { to: "failed", failure, dueAt },
})
