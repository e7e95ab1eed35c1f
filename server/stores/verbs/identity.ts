/** Keeps the owner of the books, and their generation: a reader with a cursor of an older one starts anew. */
import type { Address } from "../../../shared/values/evm.ts"
import { payeeChangedFact } from "../../core/ledger-facts.ts"
import type { BooksIdentity } from "../../ports/records.ts"
import { text } from "../records/columns.ts"
import { book } from "../records/ledger.ts"
import type { Rows } from "../records/rows.ts"

export const identityQueries = {
  read: "SELECT * FROM identity",
  begin: `
    INSERT INTO generations (generation, since) VALUES (:generation, (SELECT coalesce(max(sequence), 0) FROM entries))`,
  write: "UPDATE identity SET issuer = :issuer, ring = :ring, pay_to = :payTo, generation = :generation",
}
const q = identityQueries

export async function identify(
  rows: Rows,
  { generation, now, ...service }: BooksIdentity & { generation: string; now: number },
): Promise<BooksIdentity | null> {
  const known = await identity(rows)
  if (known && (known.issuer !== service.issuer || known.ring !== service.ring)) return known
  await rows.run(q.begin, { generation })
  await rows.run(q.write, { ...service, generation })
  if (known && known.payTo !== service.payTo)
    await book(
      rows,
      payeeChangedFact(known.payTo, service.payTo),
      { grantId: null, redemptionKey: null },
      now,
    )
  return known
}

export async function identity(rows: Rows): Promise<BooksIdentity | null> {
  const row = await rows.get(q.read)
  if (row === undefined || row.issuer === null) return null
  return { issuer: text(row.issuer), ring: text(row.ring), payTo: text<Address>(row.pay_to) }
}

export async function generation(rows: Rows): Promise<string> {
  return text((await rows.get(q.read))?.generation)
}
