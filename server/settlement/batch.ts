/** Decides which payments share a transaction, and by which contract. */
import { type Aggregator, aggregators, batchGas, type Call, plan } from "../core/batch.ts"
import type { Redemption } from "../core/redemption.ts"
import type { SettlementContext } from "./context.ts"

/** A payment whose simulation succeeded, with its call. */
export type Ready = { readonly row: Redemption; readonly call: Call }
/** Payments that share a transaction. */
export type Group = { readonly rows: readonly Redemption[]; readonly call: Call }

/** How soon a network without a contract for batches is asked again: somebody may deploy one. */
const lookAgainSeconds = 30

export function createBatcher(context: SettlementContext) {
  const { chain, relayers, limits, now, each, isAhead, schemeOf } = context
  let known: Aggregator | undefined
  let lookAgainAt = 0

  /** The best contract for batches that this network has. */
  async function aggregator(): Promise<Aggregator | undefined> {
    const [best] = aggregators
    if (known === best || isAhead(lookAgainAt)) return known
    known = undefined
    for (const candidate of aggregators) {
      if (known || !(await chain.hasCode(candidate.address))) continue
      known = candidate
    }
    lookAgainAt = now() + lookAgainSeconds
    return known
  }

  /** A payment that failed once is tried alone, so that it cannot fail because of others. */
  const isSociable = (row: Redemption): boolean =>
    row.state !== "failed" && row.attempts === 0 && schemeOf(row).batchable

  /** Whether more payments may join these within a block of the first. */
  async function isWorthWaiting(rows: readonly Redemption[]): Promise<boolean> {
    const { blockSeconds } = chain.network
    // A buyer whose token waits for settlement does not wait for a fuller batch.
    const isPatient = (row: Redemption) =>
      row.policy === "background" && isSociable(row) && now() - row.acceptedAt < blockSeconds
    return rows.every(isPatient) && rows.length < limits.batchSize && (await aggregator()) !== undefined
  }

  /** The transactions that make these payments, in the order of their first ones. `gas` bounds each of them. */
  async function bundle(ready: readonly Ready[], gas: bigint): Promise<readonly Group[]> {
    const sociable = ready.filter(({ row }) => isSociable(row))
    const by = sociable.length > 1 ? await aggregator() : undefined
    if (!by) return ready.map(alone)
    const plain = new Set<Ready>()
    // Read as late as possible, because a payer may get code between any two reads.
    await each(sociable, async (one) => {
      if (!(await chain.hasCode(one.row.transfer.payer))) plain.add(one)
    })
    const riders = ready.map((one) => ({ ...one, alone: !plain.has(one) }))
    const groups = plan(riders, { size: limits.batchSize, gas })
    const divided = await each(groups, (group) => divide(by, group))
    return divided.flatMap((parts) => parts ?? [])
  }

  /** Halves a batch that fails as a whole, where one call could starve the others. */
  async function divide(by: Aggregator, group: readonly Ready[]): Promise<readonly Group[]> {
    const [first, ...others] = group
    if (!first) return []
    if (others.length === 0) return [alone(first)]
    const whole = together(by, group)
    if (by.capsEach || (await goesThrough(by, whole))) return [whole]
    const half = Math.ceil(group.length / 2)
    return [...(await divide(by, group.slice(0, half))), ...(await divide(by, group.slice(half)))]
  }

  async function goesThrough(by: Aggregator, { call }: Group): Promise<boolean> {
    const output = await chain.dryRun({ from: relayers[0].address, ...call })
    return output !== null && by.allSucceeded(output)
  }

  return { bundle, isWorthWaiting }
}

const alone = ({ row, call }: Ready): Group => ({ rows: [row], call })

function together(by: Aggregator, group: readonly Ready[]): Group {
  const calls = group.map(({ call }) => call)
  return {
    rows: group.map(({ row }) => row),
    call: { to: by.address, data: by.encode(calls), gas: batchGas(calls) },
  }
}
