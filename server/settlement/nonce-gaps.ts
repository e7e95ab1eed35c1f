/** Fills gaps in the nonces of a relayer, each of which holds up every later transaction. */
import type { Address } from "../../shared/values/evm.ts"
import type { Call } from "../core/batch.ts"
import { capFees } from "../core/fees.ts"
import type { Relayer } from "../ports/chain.ts"
import type { RelayTransaction, SignedBytes } from "../ports/records.ts"
import type { SettlementContext } from "./context.ts"
import type { Lane } from "./lanes.ts"

/** Hands the stored bytes of a transaction to the node. */
type Submit = (fence: number, transaction: RelayTransaction, version: SignedBytes) => Promise<void>

/** Nonces looked for in one lane; more are filled in the next step. */
const mostGaps = 100

export function createGapFiller(context: SettlementContext, submit: Submit) {
  const { store, chain, network, now, log, limits, noticed, onStep, conclude, sign } = context
  /** When a nonce was first seen to be missing, by relayer and nonce. */
  const gaps = new Map<string, number>()

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
    const call = emptyTransfer(address)
    const fees = capFees(await chain.fees(), limits.maxFeePerGas)
    const version = await sign(relayer, { nonce, fees, ...call })
    onStep("signed")
    const order = { fence, network, relayer: address, nonce, ...call, version, redemptions: [], now: now() }
    const stored = await store.prepare(order)
    noticed.written += 1
    onStep("stored")
    await submit(fence, stored, version)
  }

  /**
   * A nonce is missing when it is in no block and not in flight: a reorg dropped the transaction that had used it. Stored
   * bytes are sent again; without any, an empty transfer uses the nonce.
   */
  return async function fillGaps(
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
}

/** A transfer of 0 to itself, which uses up a nonce and nothing else. */
export const emptyTransfer = (address: Address): Call => ({ to: address, data: "0x", gas: 21_000n })
