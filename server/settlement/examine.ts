/** Reads the chain about one payment and reaches a verdict on it. */

import type { Scheme } from "../../shared/schemes/scheme.ts"
import type { Evidence, Redemption } from "../core/redemption.ts"
import { retryDelay } from "../core/retry.ts"
import { type Examined, type Finding, findingOf, judge, judgeRefused, type Verdict } from "../core/verdict.ts"
import { type Chain, type Receipt, RequestRefused, Unwitnessed } from "../ports/chain.ts"
import type { SettlementContext } from "./context.ts"

/** One node, or two that must agree. */
type Source = Pick<Chain, "readTransfer" | "receipt">

/** Evidence from before the read. */
type Seen = Partial<Pick<Examined, "tried" | "refused">>

type Testimony = "confirmed" | "denied" | "unknown"

export type Examiner = ReturnType<typeof createExaminer>

export function createExaminer(context: SettlementContext) {
  const { chain, confirmations, now, chance, noticed, schemeOf } = context

  async function examine(row: Redemption, seen: Seen = {}): Promise<Verdict> {
    try {
      return await look(row, seen, chain.agreed(row.nominal) ?? chain)
    } catch (error) {
      if (error instanceof Unwitnessed)
        return { kind: "wait", seconds: retryDelay(row.attempts, chance()), doubt: null }
      const isPlain = row.payerCode === null && row.state !== "failed"
      if (!(error instanceof RequestRefused) || !isPlain) throw error
      return noteDoubt(row, await judgeUnread(row))
    }
  }

  /** No node simulates the transfer. */
  async function judgeUnread(row: Redemption): Promise<Verdict> {
    const { number } = await chain.head()
    const doubt = noticed.doubts.get(row.key) ?? null
    const seen = { failure: null, sinceBlock: number }
    return judgeRefused({ redemption: row, doubt, now: now(), chance: chance() }, seen)
  }

  function noteDoubt({ key }: Redemption, verdict: Verdict): Verdict {
    if (verdict.kind === "wait" && verdict.doubt) noticed.doubts.set(key, verdict.doubt)
    else noticed.doubts.delete(key)
    return verdict
  }

  async function look(row: Redemption, seen: Seen, source: Source): Promise<Verdict> {
    const scheme = schemeOf(row)
    const { asset, transfer } = row
    const reading = await source.readTransfer({ scheme, asset, transfer })
    const findings = reading.used ? await find(scheme, row, source) : []
    const doubt = noticed.doubts.get(row.key) ?? null
    const { blockSeconds } = chain.network
    const verdict = judge({
      redemption: row,
      reading,
      findings,
      tried: seen.tried ?? false,
      refused: seen.refused ?? false,
      doubt,
      confirmations,
      blockSeconds,
      now: now(),
      chance: chance(),
    })
    return noteDoubt(row, verdict)
  }

  async function find(scheme: Scheme, row: Redemption, source: Source): Promise<readonly Finding[]> {
    // A reorg may have moved a later transaction into an earlier block.
    const slack = BigInt(confirmations)
    const fromBlock = row.fromBlock > slack ? row.fromBlock - slack : 0n
    const { asset, transfer } = row
    const logs = await chain.findLogs({ ...scheme.outcomeLogs(asset, transfer), fromBlock })
    const receipts = await Promise.all(logs.map((found) => source.receipt(found.transactionHash)))
    return receipts.flatMap((receipt) => (receipt ? [findingOf(receipt, scheme, row)] : []))
  }

  function paidBy(receipt: Receipt, row: Redemption): Evidence | undefined {
    const { outcome, block } = findingOf(receipt, schemeOf(row), row)
    return outcome.kind === "paid" ? { ...block, logIndex: outcome.logIndex } : undefined
  }

  /** Asks a second node about the evidence; for small payments one node is enough. */
  async function witness(row: Redemption, { transactionHash, blockHash }: Evidence): Promise<Testimony> {
    const agreed = chain.agreed(row.nominal)
    if (!agreed) return "confirmed"
    try {
      const receipt = await agreed.receipt(transactionHash)
      return receipt && paidBy(receipt, row)?.blockHash === blockHash ? "confirmed" : "denied"
    } catch (error) {
      if (error instanceof Unwitnessed) return "unknown"
      throw error
    }
  }

  return { examine, paidBy, witness }
}
