/** Numbers the entries of a transaction in the order of commits. */
import type { ClientBase } from "pg"
import type { NewEntry } from "../records/rows.ts"

/**
 * Held from here to the end of COMMIT, so that the next sequence is given out only when the last is visible. Otherwise a
 * transaction that began earlier could commit later with a lower sequence, and readers of revocations would miss it.
 * The number is that of a table: several books may lie in one database, in schemas of their own.
 */
const lockLedger =
  "SELECT pg_advisory_xact_lock((1949577267::bigint << 32) | 'entries'::regclass::oid::bigint)"

/** As `ledgerQueries.insert` does it for one entry. */
const insertEntries = `
  INSERT INTO entries (at, kind, grant_id, redemption_key, facts, network, asset, payer, offer)
  SELECT new.at, new.kind, new.grant_id, new.redemption_key, CAST(new.facts AS JSON),
    redemptions.network, redemptions.asset, redemptions.payer,
    coalesce(new.offer,
      (SELECT sale.offer FROM entries AS sale
        WHERE sale.redemption_key = new.redemption_key AND sale.kind IN ('redeemed', 'claimed') LIMIT 1),
      (SELECT grants.offer FROM grants WHERE grants.id = new.grant_id))
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS new (at, kind, grant_id, redemption_key, facts, offer, place)
    LEFT JOIN redemptions ON redemptions.key = new.redemption_key
  ORDER BY new.place RETURNING sequence`

const insertRevocations = `
  INSERT INTO revocations (sequence, content, jti, expires_at)
  SELECT sequence, CAST(content AS JSON), jti, expires_at
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) AS new (sequence, content, jti, expires_at)`

/** The last statements of a transaction before COMMIT. */
export async function insertLedger(client: ClientBase, entries: readonly NewEntry[]): Promise<void> {
  if (entries.length === 0) return
  await client.query(lockLedger)
  const column = <K extends keyof NewEntry>(name: K) => entries.map((entry) => entry[name])
  const { rows } = await client.query<{ sequence: bigint }>(insertEntries, [
    column("at"),
    column("kind"),
    column("grantId"),
    column("redemptionKey"),
    column("facts"),
    column("offer"),
  ])
  const published = entries.flatMap(({ revocation }, index) =>
    revocation ? [{ ...revocation, sequence: String(rows[index]?.sequence) }] : [],
  )
  if (published.length === 0) return
  await client.query(insertRevocations, [
    published.map(({ sequence }) => sequence),
    published.map(({ content }) => content),
    published.map(({ jti }) => jti),
    published.map(({ expiresAt }) => expiresAt),
  ])
}
