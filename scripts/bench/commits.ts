/** Measures group commit: durable redemptions one by one and many at once, in turn. */
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { createOfferBoard } from "../../server/core/offers.ts"
import { locatePayment, matchPayment } from "../../server/core/payment.ts"
import type { RedeemOrder } from "../../server/ports/records.ts"
import { openStore } from "../../server/stores/index.ts"
import { type Spread, spreadOf } from "./figures.ts"
import { orderOf } from "./parts.ts"
import { preparePayments } from "./payments.ts"
import type { Service } from "./service.ts"

export type CommitFigures = {
  /** Grouped over single rates, one for each pair of slices. */
  readonly ratio: Spread
  readonly singlePerSecond: Spread
  readonly groupedPerSecond: Spread
  readonly group: number
}

const pairs = 5
const group = 64

export async function measureCommits(service: Service, seconds: number): Promise<CommitFigures> {
  const store = await openStore(`sqlite:${join(service.folder, "commits.db")}`)
  const template = await templateOf(service)
  const slice = async (together: number): Promise<number> => {
    const startedAt = performance.now()
    let redeemed = 0
    let elapsed = 0
    while (elapsed < seconds * 1000) {
      await Promise.all(Array.from({ length: together }, () => store.redeem(another(template))))
      redeemed += together
      elapsed = performance.now() - startedAt
    }
    return (redeemed * 1000) / elapsed
  }
  try {
    const single: number[] = []
    const grouped: number[] = []
    await slice(group)
    for (let pair = 0; pair < pairs; pair++) {
      single.push(await slice(1))
      grouped.push(await slice(group))
    }
    return {
      ratio: spreadOf(grouped.map((rate, at) => rate / (single[at] ?? Number.NaN))),
      singlePerSecond: spreadOf(single),
      groupedPerSecond: spreadOf(grouped),
      group,
    }
  } finally {
    await store.close()
  }
}

async function templateOf({ issuer, terms }: Service): Promise<RedeemOrder> {
  const [payment] = await preparePayments(terms, 1)
  const now = Math.floor(Date.now() / 1000)
  const records = issuer.config.offers.map((offer) => ({ offer, replacedAt: null }))
  const matched = matchPayment(locatePayment(payment?.payload), createOfferBoard(records, 0))
  return orderOf(matched, { blockNumber: 1n, balance: 10n ** 15n }, now)
}

/** Returns the order of another payer; the store sees no other difference. */
function another(order: RedeemOrder): RedeemOrder {
  const id = randomBytes(16).toString("base64url")
  return {
    ...order,
    key: `${order.key}:${id}`,
    transfer: { ...order.transfer, payer: `0x${randomBytes(20).toString("hex")}` },
    grant: { ...order.grant, id },
  }
}
