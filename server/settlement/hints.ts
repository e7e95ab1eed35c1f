/** Keeps in-memory hints of the settlement of one network. Losing them costs only another read. */
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { Doubt } from "../core/verdict.ts"

export type Hints = ReturnType<typeof createHints>

export function createHints() {
  const doubts = new Map<string, Doubt>()
  /** Keys of suspended payments; each is logged once. */
  const suspended = new Set<string>()
  /** Transactions whose nonce is used without a receipt, with the block at which that was first seen. */
  const unfound = new Map<number, bigint>()
  /** Hashes of blocks that the chain is past and no node has, with the head at which that was first seen. */
  const missing = new Map<Hex, bigint>()
  /** When bytes were last handed to a node, whether it took them or not. */
  const triedAt = new Map<number, number>()
  /** Transactions that a node refused as underpriced. */
  const underpriced = new Set<number>()
  /** Transactions whose fees cannot be raised any more; each is logged once. */
  const stuck = new Set<number>()
  /** Relayers without gas, or that no node listens to: they send nothing before this instant. */
  const parkedUntil = new Map<Address, number>()

  return {
    doubts,
    suspended,
    unfound,
    missing,
    triedAt,
    underpriced,
    stuck,
    parkedUntil,
    /** Writes of the step under way. */
    written: 0,
    /** The transaction is done, so nothing about it is needed. */
    forget(transactionId: number): void {
      for (const hint of [unfound, triedAt, underpriced, stuck]) hint.delete(transactionId)
    },
  }
}
