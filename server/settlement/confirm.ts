/** Reads receipts of sent transactions, and notices nonces that another transaction used. */
import type { Address } from "../../shared/values/evm.ts"
import type { Redemption } from "../core/redemption.ts"
import { depthOf } from "../core/verdict.ts"
import type { Receipt } from "../ports/chain.ts"
import type { InFlight, RelayTransaction } from "../ports/records.ts"
import { type KeyedMove, moveTo } from "./conclude.ts"
import { ridersOf, type SettlementContext } from "./context.ts"
import type { Examiner } from "./examine.ts"

type Head = { readonly number: bigint; readonly time: number }

export function createConfirmer(context: SettlementContext, { examine, paidBy, witness }: Examiner) {
  const { chain, confirmations, network, log, limits, noticed, onStep, conclude, moveFor, each } = context
  const { onMined } = context

  /** Reads the receipt of every transaction whose nonce is used; any of its hashes may have been mined. */
  async function confirm(
    fence: number,
    flying: readonly InFlight[],
    head: Head,
    chainNonces: ReadonlyMap<Address, number>,
  ): Promise<void> {
    await each(flying, async (each) => {
      const { transaction } = each
      const riding = ridersOf(each)
      if (transaction.nonce >= (chainNonces.get(transaction.relayer) ?? 0))
        return overtaken(fence, riding, head.time)
      const receipt = await receiptOfAny(transaction)
      onStep("receipt-read")
      if (!receipt) return lost(fence, transaction, riding, head.number)
      noticed.unfound.delete(transaction.id)
      const deep = depthOf(receipt.blockNumber, head.number) >= confirmations
      const moves: KeyedMove[] = []
      for (const row of riding) {
        const evidence = paidBy(receipt, row)
        if (evidence) {
          const counts = deep && (await witness(row, evidence)) === "confirmed"
          if (counts) moves.push(moveTo(row, { to: "paid", evidence }))
          // A suspended payment rides on until it counts: what a reorg could take back resumes no grant.
          else if (row.state !== "suspended") moves.push(moveTo(row, { to: "mined", evidence }))
        }
        // Until the block is deep, a reorg may still let the transaction pay in another one.
        else if (deep) moves.push(await judgeTry(row, receipt, riding.length))
      }
      // The transaction stays in flight while one of its payments is undecided.
      if (moves.length === riding.length) {
        await conclude(fence, moves, { done: transaction.id })
        if (riding.every(({ payerCode }) => payerCode === null)) onMined?.(receipt.gasUsed, riding.length)
      } else if (moves.length > 0) await conclude(fence, moves)
    })
  }

  /** The transaction is mined and did not pay this row. A pause of the asset is no fault of the payer. */
  async function judgeTry(row: Redemption, receipt: Receipt, riders: number): Promise<KeyedMove> {
    const paused = await chain.wasPaused(row.asset, receipt.blockNumber)
    const move = moveFor(row, await examine(row, { tried: !paused }))
    return move.move.to === "paid" ? move : { ...move, gas: receipt.gasUsed / BigInt(riders) }
  }

  async function receiptOfAny({ versions }: RelayTransaction): Promise<Receipt | null> {
    for (const { hash } of versions.toReversed()) {
      const receipt = await chain.receipt(hash)
      if (receipt) return receipt
    }
    return null
  }

  /** A node that lags has no receipt yet; a nonce that a stranger used never gets one. */
  async function lost(
    fence: number,
    transaction: RelayTransaction,
    riding: readonly Redemption[],
    head: bigint,
  ): Promise<void> {
    const since = noticed.unfound.get(transaction.id) ?? head
    noticed.unfound.set(transaction.id, since)
    if (head - since < limits.lostAfterBlocks) return
    log.error({ network, nonce: transaction.nonce }, "a nonce of the relayer was used by another transaction")
    const moves = riding.map((row) =>
      moveFor(row, { kind: "send" }, "somebody else used the nonce of its transaction"),
    )
    await conclude(fence, moves, { done: transaction.id })
  }

  /** Judges payments that expired while their transaction is still not mined. */
  async function overtaken(fence: number, riding: readonly Redemption[], time: number): Promise<void> {
    for (const row of riding) {
      if (time < row.transfer.validBefore) continue
      const verdict = await examine(row)
      // A node that lags may still see it valid, and a payment in a transaction must not be sent again.
      if (verdict.kind === "move" && verdict.move.to !== "suspended")
        await conclude(fence, [moveTo(row, verdict.move)])
    }
  }

  return { confirm }
}
