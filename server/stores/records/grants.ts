/** Reads, adds and saves grants as rows, together with the ledger's entry on their end. */
import type { GrantEnd } from "../../../shared/oauth/revocation.ts"
import type { Hex } from "../../../shared/values/evm.ts"
import type { Grant } from "../../core/grant.ts"
import { integer, text, textOrNull } from "./columns.ts"
import type { Row, Rows } from "./rows.ts"

/** For `IN`: the grant `:id` with every grant derived from it. */
export const family = "(SELECT :id UNION ALL SELECT id FROM grants WHERE parent = :id)"

export const grantQueries = {
  byId: "SELECT * FROM grants WHERE id = :id",
  insert: `
    INSERT INTO grants (id, offer, scope, subject, paid, starts_at, expires_at, opening, idempotency_hash, key_thumbprint,
      parent, resource, generation, units_given, units_left, units_held, units_spent,
      token_jti, token_issued_at, token_expires_at, token_settled, end_reason, ended_at)
    VALUES (:id, :offer, :scope, :subject, :paid, :starts_at, :expires_at, :opening, :idempotency_hash, :key_thumbprint,
      :parent, :resource, :generation, :units_given, :units_left, :units_held, :units_spent,
      :token_jti, :token_issued_at, :token_expires_at, :token_settled, :end_reason, :ended_at)`,
  update: `
    UPDATE grants SET starts_at = :starts_at, expires_at = :expires_at, generation = :generation,
      rotated_at = :rotated_at, rotated_by = :rotated_by, repeats = :repeats, token_jti = :token_jti,
      token_issued_at = :token_issued_at, token_expires_at = :token_expires_at, token_settled = :token_settled,
      end_reason = :end_reason, ended_at = :ended_at
    WHERE id = :id`,
  updateTerms: `
    UPDATE grants SET offer = :offer, scope = :scope, units_given = :units_given, units_left = :units_left,
      units_held = :units_held, units_spent = :units_spent
    WHERE id = :id`,
}
const q = grantQueries

export async function readGrant(rows: Rows, id: string): Promise<Grant | null> {
  const row = await rows.get(q.byId, { id })
  return row ? grantFrom(row) : null
}

export async function addGrant(rows: Rows, grant: Grant): Promise<void> {
  await rows.run(q.insert, columnsOf(grant))
}

/** Saves the changes of refreshes, ends and further payments. */
export async function updateGrant(rows: Rows, grant: Grant): Promise<void> {
  await rows.run(q.update, columnsOf(grant))
}

/** Saves the other changes of a further payment: the offer, its scope and its units. */
export async function updateTerms(rows: Rows, grant: Grant): Promise<void> {
  await rows.run(q.updateTerms, columnsOf(grant))
}

export const grantFrom = (row: Row): Grant => ({
  id: text(row.id),
  offer: textOrNull(row.offer),
  scope: text(row.scope),
  subject: text(row.subject),
  paid: row.paid === 1n,
  startsAt: integer(row.starts_at),
  expiresAt: integer(row.expires_at),
  opening: textOrNull<Hex>(row.opening),
  idempotencyHash: textOrNull(row.idempotency_hash),
  meter:
    row.units_given === null
      ? null
      : {
          given: integer(row.units_given),
          left: integer(row.units_left),
          held: integer(row.units_held),
          spent: integer(row.units_spent),
        },
  keyThumbprint: textOrNull(row.key_thumbprint),
  parent: textOrNull(row.parent),
  resource: textOrNull(row.resource),
  generation: integer(row.generation),
  rotation:
    row.rotated_at === null
      ? null
      : { at: integer(row.rotated_at), by: text(row.rotated_by), repeats: integer(row.repeats) },
  token:
    row.token_jti === null
      ? null
      : {
          jti: text(row.token_jti),
          issuedAt: integer(row.token_issued_at),
          expiresAt: integer(row.token_expires_at),
          settled: row.token_settled === 1n,
        },
  ended:
    row.end_reason === null ? null : { reason: text<GrantEnd>(row.end_reason), at: integer(row.ended_at) },
})

const columnsOf = (grant: Grant) => ({
  id: grant.id,
  offer: grant.offer,
  scope: grant.scope,
  subject: grant.subject,
  paid: grant.paid ? 1 : 0,
  starts_at: grant.startsAt,
  expires_at: grant.expiresAt,
  opening: grant.opening,
  idempotency_hash: grant.idempotencyHash,
  units_given: grant.meter?.given ?? null,
  units_left: grant.meter?.left ?? null,
  units_held: grant.meter?.held ?? null,
  units_spent: grant.meter?.spent ?? null,
  key_thumbprint: grant.keyThumbprint,
  parent: grant.parent,
  resource: grant.resource,
  generation: grant.generation,
  rotated_at: grant.rotation?.at ?? null,
  rotated_by: grant.rotation?.by ?? null,
  repeats: grant.rotation?.repeats ?? 0,
  token_jti: grant.token?.jti ?? null,
  token_issued_at: grant.token?.issuedAt ?? null,
  token_expires_at: grant.token?.expiresAt ?? null,
  token_settled: grant.token ? Number(grant.token.settled) : null,
  end_reason: grant.ended?.reason ?? null,
  ended_at: grant.ended?.at ?? null,
})
