/** Looks after transactions in flight: sends the same bytes again, and replaces stuck ones with higher fees. */
import type { Address } from "../../shared/values/evm.ts"
import { settlerDeployment } from "../core/batch.ts"
import { bumpFees, isPricedOut } from "../core/fees.ts"
import { ChainUnavailable, type Relayer, RequestRefused, type SendResult } from "../ports/chain.ts"
import type { InFlight, RelayTransaction, SignedBytes } from "../ports/records.ts"
import { longestRestSeconds, newestOf, ridersOf, type SettlementContext } from "./context.ts"
import type { Lane } from "./lanes.ts"
import { createGapFiller, emptyTransfer } from "./nonce-gaps.ts"

export type Resender = ReturnType<typeof createResender>

export function createResender(context: SettlementContext) {
  const { store, chain, relayers, network, now, log, limits, noticed, onStep } = context
  const { conclude, each, isParked, moveFor, sign } = context
  const fillGaps = createGapFiller(context, submit)

  /** Looks after one lane; its faults block no other lane. */
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

  /** Raises the fees of the transaction that blocks the others, and of those the market left behind. */
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
      // A transaction without riders only has to use up its nonce, and may be replaced as often again.
      const wanted = ridersOf(each).length > 0 || transaction.to === settlerDeployment.to
      const call = wanted ? transaction : emptyTransfer(relayer.address)
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

  /** Logs it once. Its bytes stay with the node, and are mined when the fees fall. */
  function stuck({ id, nonce, relayer }: RelayTransaction): void {
    if (noticed.stuck.has(id)) return
    noticed.stuck.add(id)
    log.error({ network, relayer, nonce }, "a transaction is stuck at the highest fee allowed")
  }

  /** Hands stored bytes to the node. They are kept whatever it answers, to be sent again. */
  async function submit(fence: number, transaction: RelayTransaction, version: SignedBytes): Promise<void> {
    const { id, relayer } = transaction
    const result = await handOver(version)
    onStep("sent")
    noticed.triedAt.set(id, now())
    if (result === "underpriced") noticed.underpriced.add(id)
    if (result === "unfunded" && (await isUnfunded(fence, relayer)))
      park(relayer, longestRestSeconds, "the relayer has no gas")
    if (result === "refused")
      log.warn({ network, relayer }, "every node refuses a transaction; it is sent again")
    if (result === "unheard")
      park(relayer, limits.resendAfterSeconds, "no node takes the transactions of the relayer")
    if (result !== "taken") return
    noticed.parkedUntil.delete(relayer)
    await store.broadcast({ fence, transactionId: id, now: now() })
    onStep("recorded")
  }

  /** Compares balance and cost: a node's words alone must not stop the payments of a relayer. */
  async function isUnfunded(fence: number, relayer: Address): Promise<boolean> {
    const [balance, flying] = await Promise.all([
      chain.gasBalance(relayer),
      store.inFlight({ fence, network }),
    ])
    const own = flying.filter(({ transaction }) => transaction.relayer === relayer)
    const cost = own.reduce(
      (sum, { transaction }) => sum + transaction.gas * newestOf(transaction).maxFeePerGas,
      0n,
    )
    return balance < cost
  }

  async function handOver({ raw }: SignedBytes): Promise<SendResult | "refused" | "unheard"> {
    try {
      return await chain.send(raw)
    } catch (error) {
      if (error instanceof RequestRefused) return "refused"
      // With one relayer nothing else can be done, so the settlement as a whole waits for the node.
      if (relayers.length > 1 && error instanceof ChainUnavailable) return "unheard"
      throw error
    }
  }

  /** Logged once, until the relayer can send again. */
  function park(relayer: Address, seconds: number, why: string): void {
    if (!noticed.parkedUntil.has(relayer)) log.error({ network, relayer }, why)
    noticed.parkedUntil.set(relayer, now() + seconds)
  }

  /** Moves payments from a relayer that cannot send to another; the once-only key lets only one of the two pay. */
  async function rescue(fence: number, address: Address, waiting: readonly InFlight[]): Promise<void> {
    if (!relayers.some((other) => other.address !== address && !isParked(other.address))) return
    await each(waiting, async (each) => {
      if (now() - each.transaction.storedAt < limits.rescueAfterSeconds) return
      // Two transactions of a payer with code could both fail and cost gas twice.
      const moves = ridersOf(each)
        .filter((row) => row.payerCode === null)
        .map((row) => moveFor(row, { kind: "send" }, "the relayer it was given to can send nothing"))
      if (moves.length > 0) await conclude(fence, moves)
    })
  }

  /** Drops transactions without riders from a lane whose key is not configured any more. */
  async function dismiss(fence: number, waiting: readonly InFlight[]): Promise<void> {
    const idle = waiting.filter((each) => ridersOf(each).length === 0)
    await each(idle, ({ transaction: { id } }) => conclude(fence, [], { done: id }))
  }

  return { tend, submit }
}
