/** Settlement on one network: accepted payments become transactions, and what became of them is read from the chain. */
import pLimit from "p-limit"
import type { Address, Hex } from "../shared/evm.ts"
import type { Scheme } from "../shared/scheme.ts"
import { schemes } from "../shared/schemes/index.ts"
import { bumpFees, capFees, isPricedOut } from "./core/fees.ts"
import type { Evidence, Move, Redemption } from "./core/redemption.ts"
import { retryDelay } from "./core/retry.ts"
import { type Doubt, depthOf, type Finding, judge, moveOf, type Verdict } from "./core/verdict.ts"
import {
  type Chain,
  ChainMismatch,
  ChainUnavailable,
  type Fees,
  Fenced,
  type InFlight,
  type Logger,
  type Now,
  type Receipt,
  type Relayer,
  type RelayTransaction,
  type SignedBytes,
  type Store,
  StoreUnavailable,
} from "./ports.ts"

/** Boundaries at which the process may die; each is passed once for every payment, transaction or receipt. */
export const settlementSteps = [
  "simulated",
  "signed",
  "stored",
  "sent",
  "recorded",
  "receipt-read",
  "concluded",
] as const
export type SettlementStep = (typeof settlementSteps)[number]

export type SettlementDeps = {
  readonly store: Store
  readonly chain: Chain
  readonly relayer: Relayer
  /** Blocks until a payment counts, its own included. */
  readonly confirmations: number
  readonly now: Now
  /** In [0, 1). */
  readonly chance: () => number
  readonly log: Logger
  readonly schemes?: ReadonlyMap<string, Scheme>
  readonly onStep?: (step: SettlementStep) => void
  /** A settlement failed, and a grant ended with it. */
  readonly onEnded?: () => void
}

export type SettlementLimits = {
  /** Transactions not known to be mined. */
  readonly maxInFlight: number
  readonly resendAfterSeconds: number
  readonly bumpAfterSeconds: number
  /** Hashes for one nonce, the first included. */
  readonly maxVersions: number
  /** Wei per gas that a transaction offers at most. */
  readonly maxFeePerGas: bigint
  /** Gas that a payment may take: a payer's code could burn more. */
  readonly maxGas: bigint
  /** A nonce was used, yet no hash of ours has a receipt: so long until the transaction is given up. */
  readonly lostAfterBlocks: bigint
}

export const settlementLimits: SettlementLimits = {
  maxInFlight: 64,
  resendAfterSeconds: 15,
  bumpAfterSeconds: 30,
  maxVersions: 5,
  maxFeePerGas: 500_000_000_000n,
  maxGas: 300_000n,
  lostAfterBlocks: 6n,
}

export type Settlement = {
  readonly network: string
  /**
   * One step: looks after what is on its way, then sends what is due. It waits for no block, so it is called again and
   * again; `busy` says that it wrote something and more may be possible at once. Throws {@link Fenced} only.
   */
  advance(fence: number): Promise<{ busy: boolean }>
}

type KeyedMove = { readonly key: string; readonly move: Move }
type Call = { readonly to: Address; readonly data: Hex; readonly gas: bigint }
/** A payment that goes through, with the call that makes it. */
type Ready = { readonly row: Redemption; readonly call: Call }
/** What shares a transaction. */
type Group = { readonly rows: readonly Redemption[]; readonly call: Call }

const parallel = 8
/** Of a settlement whose node does not answer, or whose relayer has no gas. */
const longestRestSeconds = 30

export function createSettlement(
  deps: SettlementDeps,
  overrides: Partial<SettlementLimits> = {},
): Settlement {
  const { store, chain, relayer, confirmations, now, chance, log } = deps
  const limits = { ...settlementLimits, ...overrides }
  const network = chain.network.id
  const onStep = deps.onStep ?? (() => {})
  const known = deps.schemes ?? schemes

  // What this process noticed; all of it may be forgotten, at the price of looking again.
  const doubts = new Map<string, Doubt>()
  const unfound = new Map<number, bigint>()
  const triedAt = new Map<number, number>()
  const underpriced = new Set<number>()
  let gap: { nonce: number; since: number } | undefined
  let parkedUntil = 0
  let pauseUntil = 0
  let outages = 0
  let written = 0

  async function advance(fence: number): Promise<{ busy: boolean }> {
    if (isAhead(pauseUntil)) return { busy: false }
    written = 0
    try {
      await chain.ready()
      await step(fence)
      outages = 0
      return { busy: written > 0 }
    } catch (error) {
      if (error instanceof Fenced) throw error
      outages += 1
      pauseUntil = now() + retryDelay(outages, chance(), longestRestSeconds - 1)
      const fields = { network, outages, reason: messageOf(error) }
      if (isOutage(error)) log.warn(fields, "settlement waits")
      else
        log.error(fields, error instanceof ChainMismatch ? "settlement refuses a chain" : "settlement erred")
      return { busy: false }
    }
  }

  async function step(fence: number): Promise<void> {
    const resting = isAhead(parkedUntil)
    const [before, mined] = await Promise.all([
      store.inFlight({ fence, network }),
      store.mined({ fence, network }),
    ])
    let flying = before
    if (before.length > 0 || mined.length > 0) {
      const [head, chainNonce] = await Promise.all([chain.head(), chain.nonceOf(relayer.address)])
      await recheck(fence, mined, head.number)
      await confirm(fence, before, head, chainNonce)
      if (written > 0) flying = await store.inFlight({ fence, network })
      if (resting) return
      const waiting = flying.filter(({ transaction }) => transaction.nonce >= chainNonce)
      await resend(fence, waiting)
      await reprice(fence, waiting, chainNonce)
      await fillGap(flying, chainNonce)
    }
    if (!resting) await sendDue(fence, limits.maxInFlight - flying.length)
  }

  // ── What became of what was sent ───────────────────────────────────────────────────────────────────────────────────

  /** Mined payments become paid when deep enough, or return when their block went away. */
  async function recheck(fence: number, mined: readonly Redemption[], head: bigint): Promise<void> {
    const hashes = new Map<bigint, Promise<Hex | null>>()
    const gone: Redemption[] = []
    await each(mined, async (row) => {
      const { evidence } = row
      if (!evidence) return
      const { blockNumber } = evidence
      const asked = hashes.get(blockNumber) ?? chain.blockHash(blockNumber)
      hashes.set(blockNumber, asked)
      const canonical = await asked
      // A node without that block lags behind, or its new chain is still shorter.
      if (canonical === null) return
      if (canonical !== evidence.blockHash) gone.push(row)
      else if (depthOf(blockNumber, head) >= confirmations)
        await conclude(fence, [{ key: row.key, move: { to: "paid", evidence } }])
    })
    await each(gone, async (row) => {
      const receipt = row.evidence && (await chain.receipt(row.evidence.transactionHash))
      const evidence = receipt && paidBy(receipt, row)
      if (evidence) return conclude(fence, [{ key: row.key, move: { to: "mined", evidence } }])
      log.warn({ network, key: row.key }, "a reorg took a payment back")
      const { transactionId } = row
      if (transactionId === null)
        return conclude(fence, [{ key: row.key, move: { to: "accepted", dueAt: now() } }])
      await conclude(fence, [{ key: row.key, move: { to: "sent" } }], { reopened: transactionId })
      // To be sent again now, whenever it was sent last.
      triedAt.set(transactionId, 0)
    })
  }

  /** Transactions whose nonce is used up: the receipt of any of their hashes tells. */
  async function confirm(
    fence: number,
    flying: readonly InFlight[],
    head: { number: bigint; time: number },
    chainNonce: number,
  ): Promise<void> {
    await each(flying, async ({ transaction, redemptions }) => {
      const riding = redemptions.filter((row) => row.state === "sent")
      if (transaction.nonce >= chainNonce) return overtaken(fence, riding, head.time)
      const receipt = await receiptOfAny(transaction)
      onStep("receipt-read")
      if (!receipt) return lost(fence, transaction, riding, head.number)
      unfound.delete(transaction.id)
      const deep = depthOf(receipt.blockNumber, head.number) >= confirmations
      const moves: KeyedMove[] = []
      for (const row of riding) {
        const evidence = paidBy(receipt, row)
        if (evidence) moves.push({ key: row.key, move: { to: deep ? "paid" : "mined", evidence } })
        // Until the block is deep the transaction may yet pay in another one.
        else if (deep) moves.push(moveFor(row, await examine(row)))
      }
      // While a payment may come back to it, its nonce may as well.
      if (moves.length === riding.length) await conclude(fence, moves, { done: transaction.id })
      else if (moves.length > 0) await conclude(fence, moves)
    })
  }

  async function receiptOfAny({ versions }: RelayTransaction): Promise<Receipt | null> {
    for (const { hash } of versions.toReversed()) {
      const receipt = await chain.receipt(hash)
      if (receipt) return receipt
    }
    return null
  }

  /** A node that lags has no receipt yet; but a nonce that a stranger used never gets one. */
  async function lost(
    fence: number,
    transaction: RelayTransaction,
    riding: readonly Redemption[],
    head: bigint,
  ): Promise<void> {
    const since = unfound.get(transaction.id) ?? head
    unfound.set(transaction.id, since)
    if (head - since < limits.lostAfterBlocks) return
    log.error({ network, nonce: transaction.nonce }, "a nonce of the relayer was used by another transaction")
    const moves = riding.map((row) => moveFor(row, { kind: "send" }))
    await conclude(fence, moves, { done: transaction.id })
  }

  /** Not mined, and too late: its payments are not left waiting for it. */
  async function overtaken(fence: number, riding: readonly Redemption[], time: number): Promise<void> {
    for (const row of riding) {
      if (time < row.transfer.validBefore) continue
      const verdict = await examine(row)
      if (verdict.kind === "move") await conclude(fence, [{ key: row.key, move: verdict.move }])
    }
  }

  async function examine(row: Redemption): Promise<Verdict> {
    const scheme = schemeOf(row)
    const { asset, transfer, key } = row
    const reading = await chain.readTransfer({ asset, transfer, call: scheme.settlementCall(transfer) })
    const findings = reading.used ? await find(scheme, row) : []
    const doubt = doubts.get(key) ?? null
    const { blockSeconds } = chain.network
    const verdict = judge({
      redemption: row,
      reading,
      findings,
      doubt,
      confirmations,
      blockSeconds,
      now: now(),
      chance: chance(),
    })
    if (verdict.kind === "wait" && verdict.doubt) doubts.set(key, verdict.doubt)
    else doubts.delete(key)
    return verdict
  }

  async function find(scheme: Scheme, row: Redemption): Promise<readonly Finding[]> {
    // A reorg may have put into an earlier block what came after the read.
    const slack = BigInt(confirmations)
    const fromBlock = row.fromBlock > slack ? row.fromBlock - slack : 0n
    const { asset, transfer } = row
    const logs = await chain.findLogs({ asset, topics: scheme.outcomeTopics(transfer), fromBlock })
    const receipts = await Promise.all(logs.map((found) => chain.receipt(found.transactionHash)))
    return receipts.flatMap((receipt) => (receipt ? [readReceipt(receipt, row)] : []))
  }

  function readReceipt(receipt: Receipt, row: Redemption): Finding {
    const { transactionHash, blockNumber, blockHash, success, logs } = receipt
    return {
      outcome: success ? schemeOf(row).outcome(logs, row.asset, row.transfer) : { kind: "silent" },
      block: { transactionHash, blockNumber, blockHash },
    }
  }

  function paidBy(receipt: Receipt, row: Redemption): Evidence | undefined {
    const { outcome, block } = readReceipt(receipt, row)
    return outcome.kind === "paid" ? { ...block, logIndex: outcome.logIndex } : undefined
  }

  // ── What is on its way ─────────────────────────────────────────────────────────────────────────────────────────────

  async function resend(fence: number, waiting: readonly InFlight[]): Promise<void> {
    const stale = waiting.filter(({ transaction: { id, state, sentAt } }) => {
      const last = triedAt.get(id) ?? (state === "signed" ? 0 : (sentAt ?? 0))
      return now() - last >= limits.resendAfterSeconds
    })
    await each(stale, ({ transaction }) => submit(fence, transaction.id, newestOf(transaction)))
  }

  /** Pays more for what blocks the others, and for whatever the market left behind. */
  async function reprice(fence: number, waiting: readonly InFlight[], chainNonce: number): Promise<void> {
    const slow = waiting.filter(
      ({ transaction: { id, storedAt, versions } }) =>
        versions.length < limits.maxVersions &&
        (underpriced.has(id) || now() - storedAt >= limits.bumpAfterSeconds),
    )
    if (slow.length === 0 || isAhead(parkedUntil)) return
    const suggested = await chain.fees()
    await each(slow, async ({ transaction }) => {
      const { id, nonce, to, data, gas } = transaction
      const newest = newestOf(transaction)
      if (nonce !== chainNonce && !underpriced.has(id) && !isPricedOut(newest, suggested)) return
      const fees = bumpFees(newest, suggested, limits.maxFeePerGas)
      if (!fees) return log.error({ network, nonce }, "a transaction is stuck at the highest fee allowed")
      const version = await sign({ nonce, to, data, gas, fees })
      onStep("signed")
      await store.replace({ fence, transactionId: id, version, now: now() })
      onStep("stored")
      underpriced.delete(id)
      await submit(fence, id, version)
    })
  }

  /** Hands stored bytes to the node; whatever it answers, the bytes stay ours to send again. */
  async function submit(fence: number, transactionId: number, version: SignedBytes): Promise<void> {
    const result = await chain.send(version.raw)
    onStep("sent")
    triedAt.set(transactionId, now())
    if (result === "underpriced") underpriced.add(transactionId)
    if (result === "unfunded") {
      if (parkedUntil === 0) log.error({ network, relayer: relayer.address }, "the relayer has no gas")
      parkedUntil = now() + longestRestSeconds
    }
    if (result !== "taken") return
    parkedUntil = 0
    await store.broadcast({ fence, transactionId, now: now() })
    onStep("recorded")
  }

  /** A reorg deeper than was waited for may leave a nonce that nothing fills; all that follow would wait for ever. */
  async function fillGap(flying: readonly InFlight[], chainNonce: number): Promise<void> {
    const lowest = flying[0]?.transaction.nonce ?? chainNonce
    if (lowest <= chainNonce) gap = undefined
    else if (gap?.nonce !== chainNonce) gap = { nonce: chainNonce, since: now() }
    if (!gap || now() - gap.since < limits.bumpAfterSeconds) return
    log.error({ network, nonce: chainNonce }, "a nonce of the relayer is missing; filling it with nothing")
    const { address } = relayer
    const fees = capFees(await chain.fees(), limits.maxFeePerGas)
    const version = await sign({ nonce: chainNonce, to: address, data: "0x", gas: 21_000n, fees })
    await chain.send(version.raw)
    gap = undefined
  }

  // ── What is due ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async function sendDue(fence: number, room: number): Promise<void> {
    if (room <= 0) return
    const rows = await store.due({ fence, network, now: now(), limit: room })
    const looked = await each(rows, (row) => orPostpone(fence, [row], () => simulate(fence, row)))
    const ready = looked.flatMap((each) => each ?? [])
    if (ready.length === 0 || isAhead(parkedUntil)) return
    const [chainNonce, suggested] = await Promise.all([chain.nonceOf(relayer.address), chain.fees()])
    const fees = capFees(suggested, limits.maxFeePerGas)
    const stored: RelayTransaction[] = []
    // One after the other, so that nonces go by urgency; sending begins when all are stored.
    for (const group of plan(ready)) {
      const transaction = await orPostpone(fence, group.rows, () => build(fence, group, chainNonce, fees))
      if (transaction) stored.push(transaction)
    }
    await each(stored, (transaction) => submit(fence, transaction.id, newestOf(transaction)))
  }

  /** The call of a payment that goes through now; of any other, what was found out is written. */
  async function simulate(fence: number, row: Redemption): Promise<Ready | undefined> {
    const to = row.asset
    const data = schemeOf(row).settlementCall(row.transfer)
    // An asset may take a used nonce without a word (security.md SET-13), so what failed once is read first.
    let verdict: Verdict | undefined
    if (row.state === "failed" || row.attempts > 0) verdict = await examine(row)
    if (!verdict || verdict.kind === "send") {
      const gas = await chain.estimateGas({ from: relayer.address, to, data })
      onStep("simulated")
      if (gas !== null && gas <= limits.maxGas) {
        const roomy = (gas * 13n) / 10n
        return { row, call: { to, data, gas: roomy < limits.maxGas ? roomy : limits.maxGas } }
      }
      verdict ??= await examine(row)
    }
    await conclude(fence, [moveFor(row, verdict)])
    return undefined
  }

  async function build(
    fence: number,
    group: Group,
    chainNonce: number,
    fees: Fees,
  ): Promise<RelayTransaction> {
    const { address } = relayer
    const nonce = await store.nextNonce({ fence, network, relayer: address, chainNonce })
    const version = await sign({ nonce, fees, ...group.call })
    onStep("signed")
    const redemptions = group.rows.map((row) => row.key)
    const stored = await store.prepare({
      fence,
      network,
      relayer: address,
      nonce,
      ...group.call,
      version,
      redemptions,
      now: now(),
    })
    written += 1
    onStep("stored")
    return stored
  }

  // ── Helpers ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async function conclude(
    fence: number,
    moves: readonly KeyedMove[],
    transaction: { done?: number; reopened?: number } = {},
  ): Promise<void> {
    await store.conclude({ fence, ...transaction, moves, now: now() })
    written += 1
    if (transaction.done !== undefined) {
      unfound.delete(transaction.done)
      triedAt.delete(transaction.done)
      underpriced.delete(transaction.done)
    }
    for (const { key, move } of moves) {
      if (move.to === "paid")
        log.info({ network, key, transaction: move.evidence.transactionHash }, "settled")
      if (move.to === "failed") log.warn({ network, key, failure: move.failure }, "a settlement failed")
    }
    onStep("concluded")
    if (moves.some(({ move }) => move.to === "failed")) deps.onEnded?.()
  }

  const moveFor = (row: Redemption, verdict: Verdict): KeyedMove => ({
    key: row.key,
    move: moveOf(verdict, { redemption: row, now: now(), chance: chance() }),
  })

  const sign = (transaction: Omit<Parameters<Relayer["sign"]>[0], "chainId">): Promise<SignedBytes> =>
    relayer.sign({ chainId: chain.network.chainId, ...transaction })

  /** A payment that cannot be worked on gives way to the others. */
  async function orPostpone<T>(
    fence: number,
    rows: readonly Redemption[],
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (isOutage(error)) throw error
      const keys = rows.map((row) => row.key)
      log.error({ network, keys, reason: messageOf(error) }, "a payment could not be worked on")
      const later = rows.map((row) =>
        moveFor(row, { kind: "wait", seconds: retryDelay(row.attempts, chance()), doubt: null }),
      )
      await conclude(fence, later)
      return undefined
    }
  }

  /** Works on a few at a time. What is wrong with one is logged; an outage ends all, once none is under way. */
  async function each<T, R>(
    items: readonly T[],
    work: (item: T) => Promise<R>,
  ): Promise<readonly (R | undefined)[]> {
    const limit = pLimit(parallel)
    let outage: unknown
    const results = await Promise.all(
      items.map((item) =>
        limit(async () => {
          if (outage !== undefined) return undefined
          try {
            return await work(item)
          } catch (error) {
            if (isOutage(error)) outage = error
            else log.error({ network, reason: messageOf(error) }, "a settlement step failed")
            return undefined
          }
        }),
      ),
    )
    if (outage !== undefined) throw outage
    return results
  }

  /** Whether an instant set by this process is still to come; a clock set back does not make it wait longer. */
  function isAhead(until: number): boolean {
    const left = until - now()
    return left > 0 && left <= longestRestSeconds
  }

  function schemeOf(row: Redemption): Scheme {
    const scheme = known.get(row.scheme)
    if (!scheme) throw new Error(`there is no scheme ${row.scheme}`)
    return scheme
  }

  return { network, advance }
}

/** Which payments share a transaction: none yet; payments of batchable schemes may. */
const plan = (ready: readonly Ready[]): readonly Group[] =>
  ready.map(({ row, call }) => ({ rows: [row], call }))

function newestOf({ versions, nonce }: RelayTransaction): SignedBytes {
  const newest = versions.at(-1)
  if (!newest) throw new Error(`nothing is stored for nonce ${nonce}`)
  return newest
}

/** Nothing is wrong with the payment at hand: the world does not answer, or another process settles. */
const isOutage = (error: unknown): boolean =>
  error instanceof ChainUnavailable || error instanceof StoreUnavailable || error instanceof Fenced

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
