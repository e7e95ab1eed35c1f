/** What is on its way: sent again byte for byte, paid more for when it is stuck, and gaps before it filled. */
import type { Address } from "../../shared/values/evm.ts"
import { type Call, settlerDeployment } from "../core/batch.ts"
import { bumpFees, capFees, isPricedOut } from "../core/fees.ts"
import { ChainUnavailable, type Relayer, type SendResult } from "../ports/chain.ts"
import type { InFlight, RelayTransaction, SignedBytes } from "../ports/records.ts"
import { longestRestSeconds, newestOf, ridersOf, type SettlementContext } from "./context.ts"
import type { Lane } from "./lanes.ts"

export type Resender = ReturnType<typeof createResender>

/** Nonces looked for in one lane; more would be filled in the next step. */
const mostGaps = 100

export function createResender(context: SettlementContext) {
  const { store, chain, relayers, network, now, log, limits, noticed, onStep } = context
  const { conclude, each, isParked, moveFor, sign } = context
  /** When a nonce was first seen to be missing, by relayer and nonce. */
  const gaps = new Map<string, number>()

  /** Looks after one lane; what is wrong with it holds up no other. */
  async function tend(fence: number, lane: Lane): Promise<void> {
    const { address, relayer, flying, chainNonce } = lane
    if (chainNonce === undefined) return
    const waiting = flying.filter(({ transaction }) => transaction.nonce >= chainNonce)
    if (!relayer || isParked(address)) await rescue(fence, address, waiting)
    if (isParked(address)) return
    await resend(fence, waiting)
    if (relayer) await reprice(fence, relayer, waiting, chainNonce)
    else await dismiss(fence, waiting)
    await fillGaps(fence, lane, chainNonce)
  }

  async function resend(fence: number, waiting: readonly InFlight[]): Promise<void> {
    const stale = waiting.filter(({ transaction: { id, state, sentAt } }) => {
      const last = noticed.triedAt.get(id) ?? (state === "signed" ? 0 : (sentAt ?? 0))
      return now() - last >= limits.resendAfterSeconds
    })
    await each(stale, ({ transaction }) => submit(fence, transaction, newestOf(transaction)))
  }

  /** Pays more for what blocks the others, and for whatever the market left behind. */
  async function reprice(
    fence: number,
    relayer: Relayer,
    waiting: readonly InFlight[],
    chainNonce: number,
  ): Promise<void> {
    const slow = waiting.filter(
      ({ transaction: { id, storedAt } }) =>
        noticed.underpriced.has(id) || now() - storedAt >= limits.bumpAfterSeconds,
    )
    if (slow.length === 0 || isParked(relayer.address)) return
    const suggested = await chain.fees()
    await each(slow, async (each) => {
      const { transaction } = each
      const { id, nonce, versions } = transaction
      const newest = newestOf(transaction)
      if (nonce !== chainNonce && !noticed.underpriced.has(id) && !isPricedOut(newest, suggested)) return
      // What nobody waits for any more only has to use up its nonce, and may be tried as often again.
      const wanted = ridersOf(each).length > 0 || transaction.to === settlerDeployment.to
      const call = wanted ? transaction : nothing(relayer.address)
      const most = wanted ? limits.maxVersions : 2 * limits.maxVersions
      const fees = versions.length < most ? bumpFees(newest, suggested, limits.maxFeePerGas) : null
      if (!fees) return stuck(transaction)
      const version = await sign(relayer, { nonce, to: call.to, data: call.data, gas: call.gas, fees })
      onStep("signed")
      await store.replace({ fence, transactionId: id, version, call, now: now() })
      onStep("stored")
      noticed.underpriced.delete(id)
      await submit(fence, transaction, version)
    })
  }

  /** Its bytes stay with the node, and are mined when the fees fall. */
  function stuck({ id, nonce, relayer }: RelayTransaction): void {
    if (noticed.stuck.has(id)) return
    noticed.stuck.add(id)
    log.error({ network, relayer, nonce }, "a transaction is stuck at the highest fee allowed")
  }

  /** Hands stored bytes to the node; whatever it answers, the bytes stay ours to send again. */
  async function submit(fence: number, transaction: RelayTransaction, version: SignedBytes): Promise<void> {
    const { id, relayer } = transaction
    const result = await handOver(version)
    onStep("sent")
    noticed.triedAt.set(id, now())
    if (result === "underpriced") noticed.underpriced.add(id)
    if (result === "unfunded") park(relayer, longestRestSeconds, "the relayer has no gas")
    if (result === "refused")
      park(relayer, limits.resendAfterSeconds, "no node takes the transactions of the relayer")
    if (result !== "taken") return
    noticed.parkedUntil.delete(relayer)
    await store.broadcast({ fence, transactionId: id, now: now() })
    onStep("recorded")
  }

  async function handOver({ raw }: SignedBytes): Promise<SendResult | "refused"> {
    try {
      return await chain.send(raw)
    } catch (error) {
      // With one relayer nothing else can be done anyway, and a node that is away is waited for longer and longer.
      if (relayers.length > 1 && error instanceof ChainUnavailable) return "refused"
      throw error
    }
  }

  /** Complained of once, until it can send again. */
  function park(relayer: Address, seconds: number, why: string): void {
    if (!noticed.parkedUntil.has(relayer)) log.error({ network, relayer }, why)
    noticed.parkedUntil.set(relayer, now() + seconds)
  }

  /** What rides in a lane that can pay for nothing more goes by another; on chain only one of the two can pay. */
  async function rescue(fence: number, address: Address, waiting: readonly InFlight[]): Promise<void> {
    if (!relayers.some((other) => other.address !== address && !isParked(other.address))) return
    await each(waiting, async (each) => {
      if (now() - each.transaction.storedAt < limits.rescueAfterSeconds) return
      const moves = ridersOf(each).map((row) =>
        moveFor(row, { kind: "send" }, "the relayer it was given to can send nothing"),
      )
      if (moves.length > 0) await conclude(fence, moves)
    })
  }

  /** Without its key a lane only drains: once nobody waits for a transaction, nobody looks at it either. */
  async function dismiss(fence: number, waiting: readonly InFlight[]): Promise<void> {
    const idle = waiting.filter((each) => ridersOf(each).length === 0)
    await each(idle, ({ transaction: { id } }) => conclude(fence, [], { done: id }))
  }

  /**
   * A nonce before the others that is in no block and not in flight holds them all up: used by a transaction that was done
   * before a reorg, or by a stranger before one. Stored bytes are taken up again; else a transfer of nothing takes its place.
   */
  async function fillGaps(
    fence: number,
    { address, flying, relayer }: Lane,
    chainNonce: number,
  ): Promise<void> {
    const taken = new Set(flying.map(({ transaction }) => transaction.nonce))
    const last = flying.at(-1)?.transaction.nonce ?? chainNonce
    const end = Math.min(last, chainNonce + mostGaps)
    for (const key of [...gaps.keys()].filter((each) => each.startsWith(address))) {
      const nonce = Number(key.slice(address.length))
      if (nonce < chainNonce || taken.has(nonce)) gaps.delete(key)
    }
    for (let nonce = chainNonce; nonce < end; nonce += 1) {
      if (taken.has(nonce)) continue
      const key = `${address} ${nonce}`
      const since = gaps.get(key) ?? now()
      gaps.set(key, since)
      if (now() - since < limits.bumpAfterSeconds) continue
      gaps.delete(key)
      await fill(fence, address, relayer, nonce)
    }
  }

  async function fill(
    fence: number,
    address: Address,
    relayer: Relayer | undefined,
    nonce: number,
  ): Promise<void> {
    const known = await store.transactionAt({ fence, network, relayer: address, nonce })
    log.error(
      { network, relayer: address, nonce, known: known !== null },
      "a nonce of the relayer is missing",
    )
    if (known) {
      noticed.triedAt.set(known.id, 0)
      return conclude(fence, [], { reopened: known.id })
    }
    if (!relayer) return
    const call = nothing(address)
    const fees = capFees(await chain.fees(), limits.maxFeePerGas)
    const version = await sign(relayer, { nonce, fees, ...call })
    onStep("signed")
    const order = { fence, network, relayer: address, nonce, ...call, version, redemptions: [], now: now() }
    const stored = await store.prepare(order)
    noticed.written += 1
    onStep("stored")
    await submit(fence, stored, version)
  }

  return { tend, submit }
}

/** A transfer of 0 to itself: uses up a nonce, and nothing else. */
const nothing = (address: Address): Call => ({ to: address, data: "0x", gas: 21_000n })
