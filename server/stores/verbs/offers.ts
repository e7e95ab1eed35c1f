/** The verb of the offers on sale. */
import type { Offer, OfferRecord } from "../../core/offers.ts"
import { integerOrNull, jsonOf, text } from "../records/columns.ts"
import type { Row, Rows } from "../records/rows.ts"

export const offerQueries = {
  all: "SELECT * FROM offers ORDER BY id",
  replace: "UPDATE offers SET replaced_at = :now WHERE ref = :ref",
  put: `
    INSERT INTO offers (ref, content) VALUES (:ref, :content) ON CONFLICT (ref) DO UPDATE SET replaced_at = NULL`,
}
const q = offerQueries

export async function publishOffers(
  rows: Rows,
  { offers, now }: { offers: readonly Offer[]; now: number },
): Promise<readonly OfferRecord[]> {
  const refs = new Set(offers.map(({ ref }) => ref))
  for (const row of await rows.all(q.all)) {
    const ref = text(row.ref)
    if (row.replaced_at === null && !refs.has(ref)) await rows.run(q.replace, { now, ref })
  }
  for (const offer of offers) await rows.run(q.put, { ref: offer.ref, content: jsonOf(offer) })
  return (await rows.all(q.all)).map(offerRecordFrom)
}

function offerRecordFrom(row: Row): OfferRecord {
  const content = JSON.parse(text(row.content)) as Offer
  const prices = content.prices.map((price) => ({
    ...price,
    amount: price.amount === null ? null : BigInt(price.amount),
  }))
  return { offer: { ...content, prices }, replacedAt: integerOrNull(row.replaced_at) }
}
