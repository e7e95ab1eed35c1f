/** `ledger list|show|retry|credit`: shows payments, retries dead ones and credits grants, while the service runs. */
import { historyView, paymentView } from "../books/payment-view.ts"
import { ConfigError } from "../config/config.ts"
import { type RedemptionState, redemptionStates } from "../core/redemption.ts"
import type { Store } from "../ports/store.ts"
import { type CommandIo, nowSeconds, onStore, printJson } from "./with-store.ts"

export type LedgerOptions = {
  readonly config: string
  /** Of a redemption; what `show` and `retry` are about. */
  readonly key?: string
  /** The grant that `credit` gives `units`, with a `note` for the ledger. */
  readonly grant?: string
  readonly units?: string
  readonly note?: string
  readonly state?: string
  readonly limit?: string
  readonly after?: string
}

type Task = (store: Store, options: LedgerOptions, io: CommandIo) => Promise<void>

const tasks = { list, show, retry, credit } satisfies Record<string, Task>

/** Resolves with the exit code after the changes of `retry` and `credit` are on disk. */
export const ledger = (task: keyof typeof tasks, options: LedgerOptions, io: CommandIo): Promise<number> =>
  onStore(options.config, io, () => (store) => tasks[task](store, options, io))

async function list(store: Store, options: LedgerOptions, io: CommandIo): Promise<void> {
  const state = options.state === undefined ? null : stateOf(options.state)
  const limit = wholeOf("limit", options.limit ?? "100", 1)
  const after = wholeOf("after", options.after ?? "0", 0)
  for (const { sequence, redemption } of await store.redemptions({ state, after, limit }))
    printJson(io, { sequence, ...paymentView(redemption) })
}

async function show(store: Store, options: LedgerOptions, io: CommandIo): Promise<void> {
  printJson(io, historyView(await found(store, options)))
}

async function retry(store: Store, options: LedgerOptions, io: CommandIo): Promise<void> {
  const { redemption } = await found(store, options)
  const { key } = redemption
  const { retried } = await store.retry({ key, now: nowSeconds() })
  if (!retried) throw new ConfigError([`${key}: found state ${redemption.state}, wanted dead`])
  printJson(io, { retried: key })
}

async function credit(store: Store, options: LedgerOptions, io: CommandIo): Promise<void> {
  const { grant: grantId = "", note = null } = options
  const units = wholeOf("units", options.units ?? "", 1)
  const meter = await store.creditUnits({ grantId, units, note, now: nowSeconds() })
  if (!meter)
    throw new ConfigError([`there is no grant ${JSON.stringify(grantId.slice(0, 300))} that counts`])
  printJson(io, { credited: grantId, units, left: meter.left })
}

async function found(store: Store, { key = "" }: LedgerOptions) {
  const history = await store.history({ key })
  if (!history) throw new ConfigError([`there is no redemption ${JSON.stringify(key.slice(0, 300))}`])
  return history
}

function stateOf(text: string): RedemptionState {
  const state = redemptionStates.find((each) => each === text)
  if (state) return state
  throw new ConfigError([
    `--state: found ${JSON.stringify(text)}, wanted one of ${redemptionStates.join(", ")}`,
  ])
}

function wholeOf(option: string, text: string, least: number): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least) return value
  throw new ConfigError([`--${option}: found ${JSON.stringify(text)}, wanted a whole number from ${least}`])
}
