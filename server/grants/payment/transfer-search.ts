/** Finds the transfer of a payment whose nonce is used, in the logs of the nonce, and judges it by its receipt. */
import { Refusal } from "../../../shared/refusals.ts"
import type { Hex } from "../../../shared/values/evm.ts"
import { firstBlockOf, isWithin } from "../../core/claim.ts"
import { nominalOf, type Payment } from "../../core/payment.ts"
import type { Evidence } from "../../core/redemption.ts"
import { decisive, depthOf, findingOf, type TransferReading } from "../../core/verdict.ts"
import type { Chain } from "../../ports/chain.ts"
import { type Now, Overloaded } from "../../ports/runtime.ts"

export type Arrival = { readonly evidence: Evidence; readonly blockTime: number }

export type TransferQuestion = {
  readonly chain: Chain
  readonly payment: Payment
  readonly reading: TransferReading
  /** Where the books have found the payment; no log is searched then. */
  readonly known: Evidence | undefined
}

/**
 * Throws the Refusal `authorization_used` when the chain proves that the nonce did not pay, and `payment_on_chain` while
 * nothing is proven at the depth that counts.
 */
export type FindTransfer = (question: TransferQuestion) => Promise<Arrival>

/** The logs of one payment are searched this rarely; receipts of found transactions are read each time. */
const searchSeconds = 60

type Search = { readonly at: number; readonly hashes: Promise<readonly Hex[]> }

export function createTransferSearch({
  now,
  confirmations,
}: {
  readonly now: Now
  /** Blocks until a payment counts, by network. */
  readonly confirmations: (network: string) => number
}): FindTransfer {
  /** By redemption key, oldest first. */
  const searches = new Map<string, Search>()

  function search({ chain, payment, reading }: TransferQuestion): Promise<readonly Hex[]> {
    const { key, scheme, price, transfer, network } = payment
    for (const [old, { at }] of searches) {
      if (Math.abs(now() - at) < searchSeconds) break
      searches.delete(old)
    }
    const before = searches.get(key)
    if (before) return before.hashes
    const fromBlock = firstBlockOf(transfer, reading, network.blockSeconds)
    const hashes = chain
      .findLogs({ ...scheme.outcomeLogs(price.asset, transfer), fromBlock })
      .then((logs) => logs.map(({ transactionHash }) => transactionHash))
    searches.set(key, { at: now(), hashes })
    // No node was asked, so the next request may search.
    hashes.catch((error: unknown) => error instanceof Overloaded && searches.delete(key))
    return hashes
  }

  return async (question) => {
    const { chain, payment, reading, known } = question
    const { scheme, price, transfer, network } = payment
    const source = chain.agreed(nominalOf(payment)) ?? chain
    const hashes = known ? [known.transactionHash] : await search(question)
    const receipts = await Promise.all(hashes.map((hash) => source.receipt(hash)))
    const about = { asset: price.asset, transfer }
    const found = decisive(
      receipts.flatMap((receipt) => (receipt ? [findingOf(receipt, scheme, about)] : [])),
    )
    if (!found || depthOf(found.block.blockNumber, reading.blockNumber) < confirmations(network.id))
      throw new Refusal("payment_on_chain")
    const { outcome, block } = found
    if (outcome.kind !== "paid") throw new Refusal("authorization_used")
    const blockTime = await chain.blockTime(block.blockHash)
    if (blockTime === null || !isWithin(transfer, blockTime)) throw new Refusal("payment_on_chain")
    return { evidence: { ...block, logIndex: outcome.logIndex }, blockTime }
  }
}
