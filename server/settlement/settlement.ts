/** Settles payments on one network: turns accepted payments into transactions and reads their results. */
import type { Address } from "../../shared/values/evm.ts"
import { retryDelay } from "../core/retry.ts"
import { ChainMismatch, ChainUnavailable } from "../ports/chain.ts"
import { Fenced } from "../ports/store.ts"
import { createConfirmer } from "./confirm.ts"
import { createContext, longestRestSeconds } from "./context.ts"
import type { SettlementDeps } from "./deps.ts"
import { createExaminer } from "./examine.ts"
import { createFinality } from "./finality.ts"
import { lanesOf } from "./lanes.ts"
import type { SettlementLimits } from "./limits.ts"
import { isOutage, messageOf } from "./outages.ts"
import { createResender } from "./resend.ts"
import { createSender } from "./send.ts"

export { type SettlementDeps, settlementSteps } from "./deps.ts"

export type Settlement = {
  readonly network: string
  /**
   * One step: looks after transactions in flight, then sends due payments. It waits for no block, so it is called in a
   * loop; `busy` means that it wrote something and another step may follow at once. Throws {@link Fenced} only.
   */
  advance(fence: number): Promise<{ busy: boolean }>
}

export function createSettlement(
  deps: SettlementDeps,
  overrides: Partial<SettlementLimits> = {},
): Settlement {
  const context = createContext(deps, overrides)
  const { store, chain, network, now, chance, log, noticed, each, isAhead } = context
  const examiner = createExaminer(context)
  const { deepen, watch } = createFinality(context, examiner)
  const { confirm } = createConfirmer(context, examiner)
  const resender = createResender(context)
  const { sendDue } = createSender(context, examiner, resender)
  let pauseUntil = 0
  let outages = 0

  async function advance(fence: number): Promise<{ busy: boolean }> {
    if (isAhead(pauseUntil)) return { busy: false }
    noticed.written = 0
    try {
      await chain.ready()
      await step(fence)
      outages = 0
      return { busy: noticed.written > 0 }
    } catch (error) {
      if (error instanceof Fenced) throw error
      outages += 1
      pauseUntil = now() + retryDelay(outages, chance(), longestRestSeconds - 1)
      const fields = { network, outages, reason: messageOf(error) }
      if (error instanceof ChainMismatch) log.error(fields, "settlement refuses a chain")
      else if (isOutage(error) || error instanceof ChainUnavailable) log.warn(fields, "settlement waits")
      else log.error(fields, "settlement erred")
      return { busy: false }
    }
  }

  async function step(fence: number): Promise<void> {
    const [before, mined] = await Promise.all([
      store.inFlight({ fence, network }),
      store.mined({ fence, network }),
    ])
    let flying = before
    const chainNonces = new Map<Address, number>()
    if (before.length > 0 || mined.length > 0) {
      const addresses = new Set(before.map(({ transaction }) => transaction.relayer))
      const ask = async (address: Address) => chainNonces.set(address, await chain.nonceOf(address))
      const [head] = await Promise.all([chain.head(), ...[...addresses].map(ask)])
      await deepen(fence, mined, head.number)
      await confirm(fence, before, head, chainNonces)
      if (noticed.written > 0) flying = await store.inFlight({ fence, network })
    }
    const lanes = lanesOf(context, flying, chainNonces)
    await each(lanes, (lane) => resender.tend(fence, lane))
    await sendDue(fence, lanes)
    await watch(fence)
  }

  return { network, advance }
}
