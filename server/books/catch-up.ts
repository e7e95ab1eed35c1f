/** Imports payments that are on the chain and missing in the books, before anything is sold. */
import type { Address } from "../../shared/values/evm.ts"
import { importedPayment } from "../core/imported.ts"
import { type Chain, ChainUnavailable } from "../ports/chain.ts"
import type { Logger, Now, Random } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import type { Arrival, FoundPayment, IncomeReader } from "./income.ts"

export type CatchUpDeps = {
  readonly store: Pick<Store, "progress" | "unbooked" | "catchUp">
  readonly chain: Pick<Chain, "network" | "ready" | "head" | "nonceOf">
  readonly income: IncomeReader
  readonly relayers: readonly Address[]
  readonly now: Now
  readonly random: Random
  readonly log: Logger
}

export type CatchUpOptions = {
  /** Blocks until a payment counts, its own included. */
  readonly confirmations: number
  /** Where new books begin when the relayer has been used before; the last seven days when not given. */
  readonly startBlock?: bigint | undefined
  /** Blocks looked at, and then noted, at a time. */
  readonly stepBlocks?: bigint
}

export type CatchUp = {
  readonly network: string
  /** Throws the errors of chain and store. Blocks that were noted before are not read again. */
  run(): Promise<void>
}

const newBooksSeconds = 7 * 86_400
/** Looked at once more: a reorg may have put a payment into a block that had none. */
const marginBlocks = 100n

export function createCatchUp(deps: CatchUpDeps, options: CatchUpOptions): CatchUp {
  const { store, chain, income, relayers, now, random, log } = deps
  const { confirmations, startBlock, stepBlocks = 5000n } = options
  const network = chain.network.id

  async function run(): Promise<void> {
    await chain.ready()
    // The chain before the store: a nonce is stored before it is used, so one that is ahead here was used elsewhere.
    const used = await Promise.all(
      relayers.map(async (relayer) => ({ relayer, next: await chain.nonceOf(relayer) })),
    )
    const { number: head } = await chain.head()
    const { blocks, nonces } = await store.progress({ network })
    for (const { relayer, next } of used) {
      const stored = nonces.find((each) => each.relayer === relayer)?.next ?? 0
      if (next > stored)
        log.error(
          { network, relayer, chainNonce: next, storedNonce: stored },
          "the relayer was used beyond these books: they are new, were restored from a backup, or its key is used elsewhere",
        )
    }
    const newest = atLeast(head - BigInt(confirmations - 1), 0n)
    if (blocks && newest + marginBlocks < blocks.done)
      throw new ChainUnavailable(`the node is at block ${head}, the books have seen ${blocks.done}`)
    const since = blocks?.since ?? (used.some(({ next }) => next > 0) ? beginning(newest) : newest)
    const from = blocks ? atLeast(blocks.done - marginBlocks, blocks.since) : since
    let at = from
    do {
      const end = at + stepBlocks - 1n
      const done = end < newest ? end : atLeast(newest, since)
      const found = at <= done ? await missing(at, done) : []
      const { imported, late } = await store.catchUp({
        network,
        since,
        done,
        nonces: done < newest ? [] : used,
        payments: found,
        now: now(),
      })
      report(imported, found)
      for (const key of late) log.warn({ network, key }, "the money of a failed payment arrived after all")
      at = done + 1n
    } while (at <= newest)
  }

  function beginning(newest: bigint): bigint {
    if (startBlock !== undefined) return startBlock < newest ? startBlock : newest
    return atLeast(newest - BigInt(Math.ceil(newBooksSeconds / chain.network.blockSeconds)), 0n)
  }

  async function missing(from: bigint, to: bigint) {
    const arrivals = await income.read(from, to)
    const unbooked = await store.unbooked({
      network,
      transfers: arrivals.map(({ transactionHash, logIndex }) => ({ transactionHash, logIndex })),
    })
    const names = new Set(unbooked.map(nameOf))
    const found = await income.payments(arrivals.filter((arrival) => names.has(nameOf(arrival))))
    return found.flatMap(({ arrival, payment }) => (payment ? [importOf(arrival, payment)] : []))
  }

  function importOf(arrival: Arrival, payment: FoundPayment) {
    const { asset, transactionHash, logIndex, blockNumber, blockHash } = arrival
    return importedPayment({
      network: chain.network,
      scheme: payment.scheme,
      asset,
      payment,
      evidence: { transactionHash, logIndex, blockNumber, blockHash },
      grantId: Buffer.from(random(16)).toString("base64url"),
      now: now(),
    })
  }

  function report(imported: readonly string[], found: readonly ReturnType<typeof importedPayment>[]): void {
    const keys = new Set(imported)
    for (const { redemption } of found) {
      if (!keys.has(redemption.key)) continue
      const { transfer, evidence } = redemption
      log.error(
        {
          network,
          payer: transfer.payer,
          value: transfer.value.toString(),
          transaction: evidence?.transactionHash,
        },
        "a payment that these books never sold was taken in",
      )
    }
  }

  return { network, run }
}

const atLeast = (value: bigint, least: bigint): bigint => (value > least ? value : least)

const nameOf = ({ transactionHash, logIndex }: { transactionHash: string; logIndex: number }): string =>
  `${transactionHash} ${logIndex}`
