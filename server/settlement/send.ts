/** Simulates, builds, stores and then sends due payments, starting with the one that expires first. */
import { capFees, least, most } from "../core/fees.ts"
import type { Redemption } from "../core/redemption.ts"
import type { Verdict } from "../core/verdict.ts"
import type { Fees, SimulatedCall } from "../ports/chain.ts"
import type { RelayTransaction } from "../ports/records.ts"
import { createBatcher, type Group, type Ready } from "./batch.ts"
import { newestOf, type SettlementContext } from "./context.ts"
import type { Examiner } from "./examine.ts"
import { type Lane, type OpenLane, pickLane } from "./lanes.ts"
import type { Resender } from "./resend.ts"

export function createSender(context: SettlementContext, { examine }: Examiner, { submit }: Resender) {
  const { store, chain, relayers, network, now, log, limits, noticed, onStep } = context
  const { conclude, moveFor, orPostpone, each, isParked, schemeOf, sign } = context
  const { bundle, isWorthWaiting } = createBatcher(context)

  /** While a transaction is not in a block yet, new payments may wait for a fuller batch. */
  async function sendDue(fence: number, lanes: readonly Lane[]): Promise<void> {
    const waiting = sum(lanes.map(({ flying }) => flying.length))
    const room = sum(openOf(lanes).map(roomOf))
    if (room <= 0) return
    const limit = Math.min(room * limits.batchSize, limits.dueAtOnce)
    const due = await store.due({ fence, network, now: now(), limit })
    const patient = waiting > 0 && due.length > 0 && (await isWorthWaiting(due))
    const suspended = await store.suspended({ fence, network, now: now(), limit: limits.suspendedAtOnce })
    const rows = [...(patient ? [] : due), ...suspended].slice(0, limit)
    if (rows.length === 0) return
    const looked = await each(rows, (row) => orPostpone(fence, [row], () => simulate(fence, row)))
    const ready = looked.flatMap((each) => each ?? [])
    if (ready.length === 0) return
    const fees = capFees(await chain.fees(), limits.maxFeePerGas)
    const open = await Promise.all(openOf(lanes).map((lane) => askOf(lane, fees)))
    // A batch that no balance can pay for would wait for gas while its payments expire.
    const gas = least(open.map((lane) => lane.affordable).reduce(most, 0n), limits.maxBatchGas)
    const stored: RelayTransaction[] = []
    // One after the other, so that nonces go by urgency; sending begins when all are stored.
    for (const group of (await bundle(ready, gas)).slice(0, room)) {
      const free = open.filter((lane) => lane.inFlight < limits.maxInFlight)
      const lane = pickLane(free, group.call.gas)
      if (!lane) break
      const transaction = await orPostpone(fence, group.rows, () => build(fence, group, lane, fees))
      if (!transaction) continue
      stored.push(transaction)
      lane.inFlight += 1
    }
    await each(stored, (transaction) => submit(fence, transaction, newestOf(transaction)))
  }

  /** Lanes that can take more. A lane with a stuck transaction counts only when all have one. */
  function openOf(lanes: readonly Lane[]): readonly Lane[] {
    const able = lanes.filter(({ relayer, address }) => relayer && !isParked(address))
    const moving = able.filter(
      ({ flying }) => !flying.some(({ transaction }) => noticed.stuck.has(transaction.id)),
    )
    return moving.length > 0 ? moving : able
  }

  const roomOf = ({ flying }: Lane): number => Math.max(0, limits.maxInFlight - flying.length)

  async function askOf({ address, relayer, flying, chainNonce }: Lane, fees: Fees): Promise<OpenLane> {
    if (!relayer) throw new Error(`there is no key of ${address}`)
    const [nonce, balance] = await Promise.all([
      chainNonce ?? chain.nonceOf(address),
      chain.gasBalance(address),
    ])
    const affordable = fees.maxFeePerGas > 0n ? balance / fees.maxFeePerGas : limits.maxBatchGas
    return { relayer, chainNonce: nonce, affordable, inFlight: flying.length }
  }

  /** The call of a payment whose simulation succeeds. Any other payment is examined and its verdict written. */
  async function simulate(fence: number, row: Redemption): Promise<Ready | undefined> {
    const call = schemeOf(row).settlementCall(row.asset, row.transfer)
    const gas = await findGas(row, { from: relayers[0].address, ...call })
    onStep("simulated")
    // An asset may accept a used nonce silently (SET-13), so a payment that failed once is read as well.
    const isFirst = row.state === "accepted" && row.attempts === 0
    const verdict: Verdict =
      gas !== null && isFirst ? { kind: "send" } : await examine(row, { refused: gas === null })
    if (gas !== null && verdict.kind === "send") return { row, call: { ...call, gas } }
    await conclude(fence, [moveFor(row, verdict)])
    return undefined
  }

  /** The gas limit of a call whose simulation succeeds; null for any other call. */
  async function findGas(row: Redemption, call: Omit<SimulatedCall, "gas">): Promise<bigint | null> {
    if (row.payerCode !== null) return findGasOfCode(call)
    const gas = await chain.estimateGas(call)
    if (gas === null || gas > limits.maxGas) return null
    return least(most((gas * 13n) / 10n, limits.minGas), limits.maxGas)
  }

  /**
   * Code can see sender, gas and gas price, so its simulation has those of the transaction. The limit is the largest, so
   * that the one try cannot fail for lack of gas.
   */
  async function findGasOfCode(call: Omit<SimulatedCall, "gas">): Promise<bigint | null> {
    const fees = capFees(await chain.fees(), limits.maxFeePerGas)
    // Without gas the node would refuse the simulation, and the payer would look guilty.
    if ((await chain.gasBalance(call.from)) < limits.maxGas * fees.maxFeePerGas)
      throw new Error("the relayer cannot pay for the simulation")
    const passes = (await chain.dryRun({ ...call, gas: limits.maxGas, fees })) !== null
    return passes ? limits.maxGas : null
  }

  async function build(
    fence: number,
    group: Group,
    { relayer, chainNonce }: OpenLane,
    fees: Fees,
  ): Promise<RelayTransaction> {
    const { address } = relayer
    const { nonce, skipped } = await store.nextNonce({ fence, network, relayer: address, chainNonce })
    if (skipped > 0)
      log.error({ network, relayer: address, skipped }, "the relayer's key is used by somebody else")
    const version = await sign(relayer, { nonce, fees, ...group.call })
    onStep("signed")
    const redemptions = group.rows.map((row) => row.key)
    const stored = await store.prepare({
      fence,
      network,
      relayer: address,
      nonce,
      ...group.call,
      version,
      redemptions,
      now: now(),
    })
    noticed.written += 1
    onStep("stored")
    return stored
  }

  return { sendDue }
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
