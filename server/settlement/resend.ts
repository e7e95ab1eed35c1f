/** What is on its way: sent again byte for byte, paid more for when it is stuck, and gaps before it filled. */
import { bumpFees, isPricedOut } from "../core/fees.ts"
import type { InFlight, SignedBytes } from "../ports.ts"
import { longestRestSeconds, newestOf, type SettlementContext } from "./context.ts"

export type Resender = ReturnType<typeof createResender>

export function createResender(context: SettlementContext) {
  const { store, chain, relayer, network, now, log, limits, noticed, onStep, each, isParked, sign } = context
  let gap: { nonce: number; since: number } | undefined

  async function resend(fence: number, waiting: readonly InFlight[]): Promise<void> {
    const stale = waiting.filter(({ transaction: { id, state, sentAt } }) => {
      const last = noticed.triedAt.get(id) ?? (state === "signed" ? 0 : (sentAt ?? 0))
      return now() - last >= limits.resendAfterSeconds
    })
    await each(stale, ({ transaction }) => submit(fence, transaction.id, newestOf(transaction)))
  }

  /** Pays more for what blocks the others, and for whatever the market left behind. */
  async function reprice(fence: number, waiting: readonly InFlight[], chainNonce: number): Promise<void> {
    const slow = waiting.filter(
      ({ transaction: { id, storedAt, versions } }) =>
        versions.length < limits.maxVersions &&
        (noticed.underpriced.has(id) || now() - storedAt >= limits.bumpAfterSeconds),
    )
    if (slow.length === 0 || isParked()) return
    const suggested = await chain.fees()
    await each(slow, async ({ transaction }) => {
      const { id, nonce, to, data, gas } = transaction
      const newest = newestOf(transaction)
      if (nonce !== chainNonce && !noticed.underpriced.has(id) && !isPricedOut(newest, suggested)) return
      const fees = bumpFees(newest, suggested, limits.maxFeePerGas)
      if (!fees) return log.error({ network, nonce }, "a transaction is stuck at the highest fee allowed")
      const version = await sign({ nonce, to, data, gas, fees })
      onStep("signed")
      await store.replace({ fence, transactionId: id, version, now: now() })
      onStep("stored")
      noticed.underpriced.delete(id)
      await submit(fence, id, version)
    })
  }

  /** Hands stored bytes to the node; whatever it answers, the bytes stay ours to send again. */
  async function submit(fence: number, transactionId: number, version: SignedBytes): Promise<void> {
    const result = await chain.send(version.raw)
    onStep("sent")
    noticed.triedAt.set(transactionId, now())
    if (result === "underpriced") noticed.underpriced.add(transactionId)
    if (result === "unfunded") {
      if (noticed.parkedUntil === 0)
        log.error({ network, relayer: relayer.address }, "the relayer has no gas")
      noticed.parkedUntil = now() + longestRestSeconds
    }
    if (result !== "taken") return
    noticed.parkedUntil = 0
    await store.broadcast({ fence, transactionId, now: now() })
    onStep("recorded")
  }

  /**
   * A reorg deeper than was waited for takes a settled transaction back, and all that follow wait for its nonce. Its bytes
   * are stored: sent again, they make the same payment.
   */
  async function fillGap(fence: number, flying: readonly InFlight[], chainNonce: number): Promise<void> {
    const lowest = flying[0]?.transaction.nonce ?? chainNonce
    if (lowest <= chainNonce) gap = undefined
    else if (gap?.nonce !== chainNonce) gap = { nonce: chainNonce, since: now() }
    if (!gap || now() - gap.since < limits.bumpAfterSeconds) return
    gap = undefined
    const missing = await store.transactionAt({
      fence,
      network,
      relayer: relayer.address,
      nonce: chainNonce,
    })
    log.error({ network, nonce: chainNonce, known: missing !== null }, "a nonce of the relayer is missing")
    if (missing) await chain.send(newestOf(missing).raw)
  }

  return { resend, reprice, submit, fillGap }
}
