/** Payments that share a transaction: who may, by which contract, and who must not after all. */
import { type Aggregator, aggregators, batchGas, type Call, plan } from "../core/batch.ts"
import type { Redemption } from "../core/redemption.ts"
import type { SettlementContext } from "./context.ts"

/** A payment that goes through, with the call that makes it. */
export type Ready = { readonly row: Redemption; readonly call: Call }
/** What shares a transaction. */
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

  /** What failed once is tried alone, so that its failure is its own. */
  const isSociable = (row: Redemption): boolean =>
    row.state === "accepted" && row.attempts === 0 && schemeOf(row).batchable

  /** Whether more of them may come within a block of the first, to go with these. */
  async function isWorthWaiting(rows: readonly Redemption[]): Promise<boolean> {
    const { blockSeconds } = chain.network
    // A buyer whose token waits for the money is not kept waiting for company.
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
    // As late as can be: a payer with code may change its mind between any two looks.
    await each(sociable, async (one) => {
      if (!(await chain.hasCode(one.row.transfer.payer))) plain.add(one)
    })
    const riders = ready.map((one) => ({ ...one, alone: !plain.has(one) }))
    const groups = plan(riders, { size: limits.batchSize, gas })
    const divided = await each(groups, (group) => divide(by, group))
    return divided.flatMap((parts) => parts ?? [])
  }

  /** Where one call could starve the others, halves that do not go through as a whole. */
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
