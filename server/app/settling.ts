/** Composes settlement: one for each network, driven by a worker, and the waits of buyers for its outcome. */
import type { Config } from "../config/config.ts"
import { createWaits, type WaitOptions, type Waits } from "../grants/settlement-waits.ts"
import type { Chain, Relayer } from "../ports/chain.ts"
import type { Store } from "../ports/store.ts"
import type { SettlementOutcome } from "../settlement/deps.ts"
import { createSettlement } from "../settlement/settlement.ts"
import { createWorker, type Worker, type WorkerOptions } from "../settlement/worker.ts"
import type { Runtime } from "./runtime.ts"

export function createSettling(
  config: Config,
  deps: {
    readonly store: Store
    readonly chains: ReadonlyMap<string, Chain>
    readonly relayers: readonly [Relayer, ...Relayer[]]
    /** Names this process. */
    readonly holder: string
    readonly onEnded: () => void
    readonly onMined: (network: string, gas: bigint, payments: number) => void
    readonly onOutcome: (network: string, outcome: SettlementOutcome, seconds: number) => void
  },
  options: {
    readonly worker?: WorkerOptions
    readonly waits?: WaitOptions
    readonly onStep?: (step: string) => void
  },
  { now, log }: Runtime,
): { readonly worker: Worker; readonly waits: Waits } {
  const { store, relayers, holder, onEnded, onMined, onOutcome } = deps
  const waits = createWaits({ store }, options.waits)
  const settlements = [...deps.chains.values()].map((chain) =>
    createSettlement({
      store,
      chain,
      relayers,
      confirmations: config.networks[chain.network.id]?.confirmations ?? 1,
      failedGasBudget: BigInt(config.limits.failedGas),
      now,
      chance: Math.random,
      log,
      onStep: options.onStep ?? ((step) => log.debug({ step, network: chain.network.id }, "settlement step")),
      onEnded,
      onMined: (gas, payments) => onMined(chain.network.id, gas, payments),
      onOutcome: (outcome, seconds) => onOutcome(chain.network.id, outcome, seconds),
      onConcluded: waits.wake,
    }),
  )
  return { worker: createWorker({ store, settlements, now, log, holder }, options.worker), waits }
}
