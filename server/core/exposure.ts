/** Limits the value that may be unsettled, and decides on a payment when a limit is reached. */
import { isExposed, isQueued, type Redemption, type SettlePolicy, settlementState } from "./redemption.ts"

/** Values in millionths of the assets' nominal currency. */
export type ExposureLimits = {
  /** Payments that may wait for settlement. */
  readonly queue: number
  /** A dearer payment is settled first. */
  readonly perPayment: bigint
  /** Unsettled of one payer, on all networks. */
  readonly perPayer: bigint
  /** Unsettled payments of a payer of whom none has settled yet. */
  readonly newPayer: number
  /** Unsettled of everybody. */
  readonly total: bigint
  /** Failed in 24 hours: the loss breaker. */
  readonly dailyLoss: bigint
  /** Gas of failed settlements in an hour, above which payers with code wait. */
  readonly failedGas: number
}

export const limitNames = ["perPayment", "failedPayer", "perPayer", "newPayer", "total", "dailyLoss"] as const
export type LimitName = (typeof limitNames)[number]

/** State of the loss breaker. The breaker is open while the losses of 24 hours are not below their limit. */
export type Breaker = {
  readonly lastLossAt: number
  /** Minute after half-opening in which the last payment was let through, and the number let through in it. */
  readonly minute: number
  readonly probes: number
}

export const closedBreaker: Breaker = { lastLossAt: 0, minute: 0, probes: 0 }
/** A new loss trips the breaker again and restarts the trial. */
export const trippedAt = (now: number): Breaker => ({ lastLossAt: now, minute: 0, probes: 0 })

/** Unsettled and lost value at the arrival of a payment. */
export type Exposure = {
  /** Rows that wait for settlement or ride in a transaction not yet mined. */
  readonly queued: number
  /** Atomic units the payer's balance must still cover, as seen from the payment's intake block. */
  readonly pending: bigint
  /** On all networks; `open` counts the payments of `unsettled`, `settled` those that were ever paid. */
  readonly payer: {
    readonly unsettled: bigint
    readonly open: number
    readonly settled: number
    /** Suspended or failed payments whose token was issued. One that arrives later is not counted any more. */
    readonly failed: number
  }
  readonly unsettled: bigint
  /** Of the last {@link lossWindowSeconds}. */
  readonly lost: bigint
  /** The same by payer, for a breaker that may be open; empty while `lost` is below the limit of a day. */
  readonly losers: readonly Loser[]
  readonly breaker: Breaker
}

/** A payer with losses. `isFunded`: some payment of this payer has settled, so opening the breaker had a price. */
export type Loser = { readonly nominal: bigint; readonly isFunded: boolean }

/** The part of the exposure that is the same for every payer. */
export type Standing = Pick<Exposure, "unsettled" | "lost" | "queued" | "losers">

/** A payment that asks for admission. */
export type ExposureRequest = {
  /** `first` when the offer or the payer leaves no choice. */
  readonly policy: SettlePolicy
  readonly nominal: bigint
  /** Atomic units. */
  readonly value: bigint
  readonly balance: bigint
  readonly validBefore: bigint
  readonly blockSeconds: number
  readonly now: number
}

export type Admission =
  | {
      readonly kind: "refused"
      readonly reason: "queue_full" | "insufficient_funds" | "contract_payers_paused"
    }
  /**
   * `limit`: the limit that turned `background` into `first`. `breaker`: replaces the stored one, when it changed.
   */
  | {
      readonly kind: "admitted"
      readonly policy: SettlePolicy
      readonly limit: LimitName | null
      readonly breaker: Breaker | null
    }

export const lossWindowSeconds = 24 * 3600
const halfOpenAfterSeconds = 3600
const probeSeconds = 60
/** A payer with so many settled payments is trusted within `perPayer` while the breaker is open. */
const trustedAfter = 3
/** Settlement manages at least so many payments in one block: five batches of 50, a quarter of an Ethereum block. */
const settledPerBlock = 250

/**
 * Decides on a payment. Run it in the transaction that read `exposure`: otherwise two payments could use the same
 * room.
 */
export function admit(request: ExposureRequest, exposure: Exposure, limits: ExposureLimits): Admission {
  if (exposure.queued >= limits.queue || isTooLate(request, exposure.queued))
    return { kind: "refused", reason: "queue_full" }
  if (request.balance - exposure.pending < request.value)
    return { kind: "refused", reason: "insufficient_funds" }
  if (request.policy === "first") return admitted("first")
  const limit = limitReached(request, exposure, limits)
  if (limit) return admitted("first", limit)
  if (!isOpen(exposure.losers, exposure.payer, limits) || exposure.payer.settled >= trustedAfter)
    return admitted("background")
  const probed = probe(exposure.breaker, request.now)
  return probed ? admitted("background", null, probed) : admitted("first", "dailyLoss")
}

const admitted = (
  policy: SettlePolicy,
  limit: LimitName | null = null,
  breaker: Breaker | null = null,
): Admission => ({ kind: "admitted", policy, limit, breaker })

function limitReached(
  request: ExposureRequest,
  exposure: Exposure,
  limits: ExposureLimits,
): LimitName | undefined {
  const { nominal } = request
  const { payer, unsettled, lost } = exposure
  if (nominal > limits.perPayment) return "perPayment"
  // A loss is charged to its payer first, so that no single wallet opens the breaker for everybody.
  if (payer.failed > 0) return "failedPayer"
  if (payer.unsettled + nominal > limits.perPayer) return "perPayer"
  if (payer.settled === 0 && payer.open >= limits.newPayer) return "newPayer"
  if (unsettled + nominal > limits.total) return "total"
  // For every payer: a day's losses and all value that may still be lost never exceed the two limits together.
  if (lost + unsettled + nominal > limits.dailyLoss + limits.total) return "dailyLoss"
  return undefined
}

/** A single wallet opens the breaker for nobody else: a loss of its own counts against it alone. */
const fewestLosers = 2

/**
 * Whether the loss breaker is open for a payer. For one whose money has arrived before, losses of funded payers count alone: wallets are free, and one sum of money can
 * pass through any number of them, but each funded one has paid.
 */
export function isOpen(
  losers: readonly Loser[],
  { settled }: Pick<Exposure["payer"], "settled">,
  limits: ExposureLimits,
): boolean {
  const counted = settled > 0 ? losers.filter(({ isFunded }) => isFunded) : losers
  const lost = counted.reduce((sum, { nominal }) => sum + nominal, 0n)
  return counted.length >= fewestLosers && lost >= limits.dailyLoss
}

/** Half open: one payment in the first minute, and twice as many in each that follows. Undefined when none is left. */
function probe(breaker: Breaker, now: number): Breaker | undefined {
  const since = now - breaker.lastLossAt - halfOpenAfterSeconds
  if (since < 0) return undefined
  const minute = Math.floor(since / probeSeconds)
  const probes = breaker.minute === minute ? breaker.probes : 0
  return probes < 2 ** Math.min(minute, 30) ? { ...breaker, minute, probes: probes + 1 } : undefined
}

/** The queue is longer than the payment lives: it would expire before its turn. */
function isTooLate({ now, blockSeconds, validBefore }: ExposureRequest, queued: number): boolean {
  const blocks = Math.ceil((queued + 1) / settledPerBlock)
  return now + blocks * blockSeconds > Number(validBefore)
}

/** The share of a row in the counters. They change by the difference between the row after and before. */
export type Weight = {
  readonly queued: number
  readonly unsettled: bigint
  readonly open: number
  readonly settled: number
  readonly failed: number
  readonly lost: bigint
}

/** Only payments accepted before they settled (`background`) are exposed or lost. */
function weightOf(row: Redemption | null): Weight {
  const isOnCredit = row?.policy === "background"
  const onCredit = isOnCredit ? row.nominal : 0n
  const isOwed = isOnCredit && isExposed(row.state)
  const outcome = row && settlementState(row.state)
  const isLost = outcome === "failed" || outcome === "suspended"
  return {
    queued: row && isQueued(row.state) ? 1 : 0,
    unsettled: isOwed ? onCredit : 0n,
    open: isOwed ? 1 : 0,
    settled: outcome === "settled" ? 1 : 0,
    failed: isOnCredit && isLost ? 1 : 0,
    lost: isLost ? onCredit : 0n,
  }
}

export function changeOf(before: Redemption | null, after: Redemption): Weight {
  const [was, is] = [weightOf(before), weightOf(after)]
  return {
    queued: is.queued - was.queued,
    unsettled: is.unsettled - was.unsettled,
    open: is.open - was.open,
    settled: is.settled - was.settled,
    failed: is.failed - was.failed,
    lost: is.lost - was.lost,
  }
}
