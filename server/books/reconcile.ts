/** Compares the books of a network with its chain: paid rows against transfers by signed payments. */
import { setTimeout as sleep } from "node:timers/promises"
import type { AssetInfo } from "../../shared/networks/network.ts"
import type { BookRow } from "../core/invariants.ts"
import { type Comparison, compare, type Paid } from "../core/reconciliation.ts"
import { isSettled, isUnsettled, type Redemption } from "../core/redemption.ts"
import { type Chain, ChainUnavailable } from "../ports/chain.ts"
import type { Store } from "../ports/store.ts"
import { type Arrival, createIncomeReader, type Payee } from "./income.ts"

export type ReconcileDeps = {
  readonly store: Pick<Store, "books" | "progress" | "recall">
  readonly chain: Pick<Chain, "network" | "ready" | "head" | "logs" | "receipt">
  /** Beside those of the rows. */
  readonly payees: readonly Payee[]
}

export type ReconcileOptions = {
  /** Default: where the books of the network begin. */
  readonly fromBlock?: bigint | undefined
  /** Only so many, from the newest block back, and nothing before the books begin. */
  readonly lastBlocks?: number
  /** How long a payment in a block may still be open, because a running service is about to book it. */
  readonly patienceSeconds?: number
}

export type Account = Comparison & {
  readonly network: string
  readonly asset: AssetInfo
  readonly fromBlock: bigint
  readonly toBlock: bigint
  /** Plain transfers to payTo, which are no difference. */
  readonly otherIncome: readonly Arrival[]
  /** Money of failed payments whose grants had ended for another reason: the buyers got nothing for it. */
  readonly owed: readonly Redemption[]
}

const pageSize = 500
const stepBlocks = 5000n

/** Returns an account for each asset; works while the service runs. */
export async function reconcile(
  { store, chain, payees }: ReconcileDeps,
  { fromBlock, lastBlocks, patienceSeconds = 10 }: ReconcileOptions = {},
): Promise<readonly Account[]> {
  await chain.ready()
  const network = chain.network.id
  // The books before the chain: a row that they call paid must be on the chain already.
  const sold = await redemptionsOf(store, network)
  const rows = sold.map(({ redemption }) => redemption)
  const { blocks } = await store.progress({ network })
  const { number: head } = await chain.head()
  const proven = rows.flatMap((row) => (row.evidence ? [{ row, block: row.evidence.blockNumber }] : []))
  const beginning = proven.map(({ block }) => block).reduce(lesser, blocks?.since ?? head)
  const from =
    lastBlocks === undefined ? (fromBlock ?? beginning) : greater(beginning, head - BigInt(lastBlocks))
  const counted = proven.filter(({ block }) => block >= from)
  if (counted.some(({ block }) => block > head))
    throw new ChainUnavailable(`the node is at block ${head}, behind what the books have seen`)

  const income = createIncomeReader(chain, [...payees, ...rows.map(payeeOf)])
  const arrivals: Arrival[] = []
  for (let at = from; at <= head; at += stepBlocks)
    arrivals.push(...(await income.read(at, lesser(at + stepBlocks - 1n, head))))
  const booked = new Map(
    counted.map(({ row }) => [`${row.evidence?.transactionHash} ${row.evidence?.logIndex}`, row]),
  )
  const deadline = performance.now() + patienceSeconds * 1000
  const found: { arrival: Arrival; paid: Paid | null }[] = []
  for (const arrival of arrivals) found.push({ arrival, paid: await paidBy(arrival) })

  return income.assets.map((asset) => {
    const address = asset.address.toLowerCase()
    const here = found.filter(({ arrival }) => arrival.asset === asset)
    return {
      network,
      asset,
      fromBlock: from,
      toBlock: head,
      otherIncome: here.flatMap(({ arrival, paid }) => (paid ? [] : [arrival])),
      ...compare(
        counted.map(({ row }) => row).filter((row) => row.asset === address),
        here.flatMap(({ paid }) => paid ?? []),
      ),
      owed: sold
        .filter(isOwed)
        .flatMap(({ redemption }) => (redemption.asset === address ? [redemption] : [])),
    }
  })

  /** The payment behind a transfer. A transfer that the books know needs no receipt. */
  async function paidBy(arrival: Arrival): Promise<Paid | null> {
    const { transactionHash, logIndex, payer, payTo, value, asset } = arrival
    const place = { transactionHash, logIndex, payer, payTo, value }
    const known = booked.get(`${transactionHash} ${logIndex}`)
    if (known) return { ...place, key: known.key, row: known }
    const [found] = await income.payments([arrival])
    if (!found?.payment) return null
    const { scheme } = found.payment
    const key = scheme.redemptionKey(chain.network.chainId, asset.address, found.payment)
    return { ...place, key, row: await settledRow(key) }
  }

  async function settledRow(key: string): Promise<Redemption | null> {
    for (;;) {
      const row = (await store.recall({ key }))?.redemption ?? null
      const mayBeBooked = row && !row.evidence && isUnsettled(row.state)
      if (!mayBeBooked || performance.now() >= deadline) return row
      await sleep(200)
    }
  }
}

type SoldRow = Pick<BookRow, "entries"> & { readonly redemption: Redemption }

const isOwed = ({ redemption, entries }: SoldRow): boolean =>
  isSettled(redemption.state) && (entries.owed ?? 0) > 0

/** Leaves out whitelisted callers, whose payments are never settled. */
async function redemptionsOf(store: Pick<Store, "books">, network: string): Promise<readonly SoldRow[]> {
  const found: SoldRow[] = []
  for (let after = ""; ; ) {
    const page = await store.books({ after, limit: pageSize })
    for (const { grant, redemption, entries } of page)
      if (grant.paid && redemption?.network === network) found.push({ redemption, entries })
    const last = page.at(-1)
    if (!last || page.length < pageSize) return found
    after = last.grant.id
  }
}

const payeeOf = ({ network, asset, transfer }: Redemption): Payee => ({
  network,
  asset,
  payTo: transfer.payTo,
})

const lesser = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const greater = (a: bigint, b: bigint): bigint => (a > b ? a : b)
