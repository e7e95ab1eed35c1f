/** Redemptions of different payers in one transaction, whose rows are read and written many at a time. */
import { lossWindowSeconds } from "../../core/exposure.ts"
import { idempotencySeconds } from "../../core/grant.ts"
import type { RedeemOrder, RedeemOutcome } from "../../ports/records.ts"
import { exposureQueries } from "../records/exposure.ts"
import { grantQueries } from "../records/grants.ts"
import { redemptionQueries } from "../records/redemptions.ts"
import type { Column, Row, Rows, Values } from "../records/rows.ts"
import { admissionQueries } from "../verbs/admission.ts"
import { redeem, redeemQueries } from "../verbs/redeem.ts"

export type ManyRows = Rows & {
  /** The rows for each of the values. */
  allOf(sql: string, list: readonly Values[]): Promise<readonly (readonly Row[])[]>
  insertAll(sql: string, list: readonly Values[]): Promise<void>
}

/** Whether an order may share a batch: it reads no more than {@link readAhead} reads. */
export const isBatchable = ({ settle, intake }: RedeemOrder): boolean => settle && intake.payerCode === null

/** Names of rows that one order writes and another reads: orders of one batch share none. */
export const touchedBy = ({ key, transfer, grant }: RedeemOrder): readonly string[] => [
  `key ${key}`,
  `payer ${transfer.payer}`,
  ...(grant.idempotencyHash === null ? [] : [`hash ${grant.idempotencyHash}`]),
]

/** Carries the verb out for each order in turn, on what was read before and with what the earlier ones changed. */
export async function redeemAll(
  rows: ManyRows,
  orders: readonly RedeemOrder[],
): Promise<readonly RedeemOutcome[]> {
  const overlay = createOverlay(rows)
  await readAhead(overlay, orders)
  const outcomes: RedeemOutcome[] = []
  for (const order of orders) outcomes.push(await redeem(overlay, order))
  await overlay.write()
  return outcomes
}

async function readAhead(overlay: Overlay, orders: readonly RedeemOrder[]): Promise<void> {
  const hashed = orders.filter(({ grant }) => grant.idempotencyHash !== null)
  await overlay.remember(
    redemptionQueries.byKey,
    orders.map(({ key }) => ({ key })),
  )
  await overlay.remember(
    admissionQueries.pending,
    orders.map(({ network, asset, transfer: { payer }, intake: { blockNumber: block } }) => ({
      network,
      asset,
      payer,
      block,
    })),
  )
  await overlay.remember(
    redeemQueries.hashTaken,
    hashed.map(({ grant, now }) => ({ hash: grant.idempotencyHash, since: now - idempotencySeconds })),
  )
  const nows = [...new Set(orders.map(({ now }) => now))]
  await overlay.remember(
    exposureQueries.oldLosses,
    nows.map((now) => ({ until: now - lossWindowSeconds })),
  )
  await overlay.remember(
    exposureQueries.payer,
    orders.map(({ transfer }) => ({ address: transfer.payer })),
  )
}

type Overlay = Rows & {
  remember(sql: string, list: readonly Values[]): Promise<void>
  write(): Promise<void>
}

/** Writes that wait for the others of the batch, in the order that foreign keys want. */
const gathered: readonly string[] = [grantQueries.insert, redemptionQueries.insert, exposureQueries.setPayer]
/** Reads whose answer changes with a write of the batch: the read, and its parameters among those of the write. */
const answers: ReadonlyMap<string, { readonly sql: string; readonly names: readonly string[] }> = new Map([
  [exposureQueries.setPayer, { sql: exposureQueries.payer, names: ["address"] }],
  [exposureQueries.setTotals, { sql: exposureQueries.totals, names: [] }],
])

/**
 * Rows as they are, with the writes that wait. A statement that it does not know is carried out at once, after all that
 * waits; when that changes something, all that was remembered is forgotten.
 */
function createOverlay(rows: ManyRows): Overlay {
  const remembered = new Map<string, readonly Row[]>()
  let waiting = new Map<string, Values[]>()
  let totals: Values | undefined

  async function write(): Promise<void> {
    const [gathering, sum] = [waiting, totals]
    waiting = new Map()
    totals = undefined
    for (const sql of gathered) {
      const list = gathering.get(sql)
      if (list) await rows.insertAll(sql, list)
    }
    if (sum) await rows.run(exposureQueries.setTotals, sum)
  }

  async function all(sql: string, values: Values = {}): Promise<readonly Row[]> {
    const known = remembered.get(nameOf(sql, values))
    if (known) return known
    await write()
    if (!isRead(sql)) remembered.clear()
    const found = await rows.all(sql, values)
    if (isRead(sql) && Object.keys(values).length === 0) remembered.set(nameOf(sql, values), found)
    return found
  }

  async function run(sql: string, values: Values = {}): Promise<number> {
    const answer = answers.get(sql)
    if (answer) {
      const asked = Object.fromEntries(answer.names.map((name) => [name, values[name] ?? null]))
      remembered.set(nameOf(answer.sql, asked), [rowOf(values)])
    }
    if (sql === exposureQueries.setTotals) totals = values
    else if (gathered.includes(sql)) waiting.set(sql, [...(waiting.get(sql) ?? []), values])
    else {
      await write()
      remembered.clear()
      return rows.run(sql, values)
    }
    return 1
  }

  return {
    all,
    get: async (sql, values) => (await all(sql, values))[0],
    run,
    append: rows.append,
    write,
    async remember(sql, list) {
      if (list.length === 0) return
      const found = await rows.allOf(sql, list)
      for (const [index, values] of list.entries()) remembered.set(nameOf(sql, values), found[index] ?? [])
    },
  }
}

const isRead = (sql: string): boolean => /^\s*SELECT\b/.test(sql)

const nameOf = (sql: string, values: Values): string =>
  `${sql}\0${Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join("\0")}`

/** As the database would answer: every integer as bigint. */
const rowOf = (values: Values): Row =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]): [string, Column] => [
      name,
      typeof value === "number" ? BigInt(value) : value,
    ]),
  )
