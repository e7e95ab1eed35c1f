/** Checks that a sale can succeed: asks the network and the keys as a sale and its settlement do. */
import type { Hex } from "../../shared/values/evm.ts"
import type { Chain, TransferQuery } from "../ports/chain.ts"
import type { Keys } from "../ports/keys.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import type { Funding } from "./gas-funding.ts"

export type SaleCheck = {
  /** Throws the first reason why no sale on the network can succeed now. */
  check(): Promise<void>
}

export type SaleCheckDeps = {
  readonly chain: Pick<Chain, "network" | "ready" | "readTransfer" | "canSettle">
  readonly funding: Pick<Funding, "check">
  /** Throws while every asset of the network is closed. */
  readonly checkAssets: () => void
  readonly keys: Pick<Keys, "check">
  /** The reads of a sale: one for each asset and scheme on sale. */
  readonly sold: readonly Pick<TransferQuery, "scheme" | "asset">[]
  readonly now: Now
  readonly log: Logger
}

/** An answer is believed for this long, a failure for a second. */
const goodForSeconds = 10

const nothing: Hex = `0x${"00".repeat(32)}`
const nobody: Hex = `0x${"00".repeat(19)}01`
/** A transfer that no key signed: nodes have to answer, and no answer is a payment. */
const emptyTransfer: TransferQuery["transfer"] = {
  payer: nobody,
  payTo: nobody,
  value: 0n,
  validAfter: 0n,
  validBefore: 0n,
  nonce: nothing,
  signature: `0x${"00".repeat(65)}`,
}

export function createSaleCheck(deps: SaleCheckDeps): SaleCheck {
  const { chain, funding, checkAssets, keys, sold, now, log } = deps
  let last: { readonly at: number; readonly error?: unknown } | undefined
  let asking: Promise<void> | undefined

  async function ask(): Promise<void> {
    const reads = sold.map((query) => chain.readTransfer({ ...query, transfer: emptyTransfer }))
    try {
      await Promise.all([...reads, chain.canSettle()])
      if (last?.error) log.info({ network: chain.network.id }, "sales are possible again")
      last = { at: now() }
    } catch (error) {
      if (!last?.error) log.error({ err: error, network: chain.network.id }, "no sale can succeed")
      last = { at: now(), error }
    }
  }

  return {
    async check() {
      keys.check()
      await chain.ready()
      checkAssets()
      await funding.check()
      const isFresh = last && Math.abs(now() - last.at) < (last.error ? 1 : goodForSeconds)
      if (!isFresh)
        asking ??= ask().finally(() => {
          asking = undefined
        })
      await asking
      if (last?.error) throw last.error
    },
  }
}
