/** Finds a grant, and issues, rotates or derives its tokens. */
import type { SettlementState } from "../../../shared/oauth/messages.ts"
import { longestTokenSeconds } from "../../../shared/oauth/revocation.ts"
import {
  type DeriveDecision,
  type DeriveRequest,
  derive as deriveFrom,
  type PresentedToken,
  withinParent,
} from "../../core/derive.ts"
import {
  type Grant,
  type IssueRequest,
  issue as issueFrom,
  type RotateDecision,
  type RotateRequest,
  rotate as rotateGrant,
} from "../../core/grant.ts"
import { derivedFact } from "../../core/ledger-facts.ts"
import { type Redemption, settlementState } from "../../core/redemption.ts"
import type { GrantHandle, Redeemed } from "../../ports/records.ts"
import { integer, text } from "../records/columns.ts"
import { addGrant, readGrant } from "../records/grants.ts"
import { book, saveGrant } from "../records/ledger.ts"
import { readCurrent, readRedeemed } from "../records/redemptions.ts"
import type { Rows } from "../records/rows.ts"
import { isSuspended } from "../records/stops.ts"
import { isListed } from "../records/whitelist.ts"

export const grantVerbQueries = {
  idByOpening: "SELECT id FROM grants WHERE opening = :value ORDER BY rowid DESC LIMIT 1",
  idByIdempotency: `
    SELECT id FROM grants WHERE idempotency_hash = :value ORDER BY starts_at DESC, rowid DESC LIMIT 1`,
  keyByOpening: "SELECT key FROM redemptions WHERE opening = :value ORDER BY id DESC LIMIT 1",
  countDerived: "SELECT count(*) AS derived FROM grants WHERE parent = :grantId AND token_issued_at > :since",
  isRevoked: `
    SELECT 1 FROM revocations WHERE jti = :jti
    UNION ALL SELECT 1 FROM revocations WHERE content ->> 'kind' = 'tokens' AND content ->> 'grantId' = :grantId
      AND CAST(content ->> 'before' AS BIGINT) > :issuedAt`,
}
const q = grantVerbQueries

type Found = { readonly grant: Grant; readonly redemption: Redemption | null }

export async function findGrant(rows: Rows, handle: GrantHandle): Promise<Found | null> {
  const id = await grantIdOf(rows, handle)
  if (id === null) return handle.by === "opening" ? furtherPayment(rows, handle.value) : null
  const grant = await readGrant(rows, id)
  const parent = grant?.parent ? await readGrant(rows, grant.parent) : null
  if (grant && parent)
    return { grant: withinParent(grant, parent), redemption: await readCurrent(rows, parent.id) }
  return grant && { grant, redemption: await readCurrent(rows, grant.id) }
}

async function grantIdOf(rows: Rows, { by, value }: GrantHandle): Promise<string | null> {
  if (by === "id") return value
  const row = await rows.get(by === "opening" ? q.idByOpening : q.idByIdempotency, { value })
  return row ? text(row.id) : null
}

async function furtherPayment(rows: Rows, opening: string): Promise<Redeemed | null> {
  const row = await rows.get(q.keyByOpening, { value: opening })
  return row ? readRedeemed(rows, text(row.key)) : null
}

export async function issue(
  rows: Rows,
  { key, ...request }: { key: string } & IssueRequest,
): Promise<Redeemed | null> {
  const known = await readRedeemed(rows, key)
  if (!known) return null
  const grant = issueFrom(known.grant, settlementState(known.redemption.state), request)
  if (grant !== known.grant) await saveGrant(rows, known.grant, grant, key, request.now)
  return { ...known, grant }
}

export async function rotate(
  rows: Rows,
  { grantId, ...request }: { grantId: string } & RotateRequest,
): Promise<{ decision: RotateDecision; redemption: Redemption | null } | null> {
  const grant = await readGrant(rows, grantId)
  if (!grant) return null
  const redemption = await readCurrent(rows, grantId)
  // A grant that has ended keeps the reason of its end.
  if (!grant.paid && !grant.ended && !(await isListed(rows, grant)))
    return { decision: { kind: "refused", reason: "access_denied" }, redemption }
  const decision = rotateGrant(grant, await settlementOf(rows, grantId, redemption), request)
  if (decision.grant) await saveGrant(rows, grant, decision.grant, redemption?.key ?? null, request.now)
  return { decision, redemption }
}

export async function derive(
  rows: Rows,
  { grantId, shown, ...request }: { grantId: string; shown: PresentedToken | null } & DeriveRequest,
): Promise<{ decision: DeriveDecision; redemption: Redemption | null } | null> {
  const parent = await readGrant(rows, grantId)
  if (!parent) return null
  const redemption = await readCurrent(rows, grantId)
  const refuse = (reason: "subject_token_invalid" | "access_denied") =>
    ({ decision: { kind: "refused", reason }, redemption }) as const
  if (shown && (await rows.get(q.isRevoked, { grantId, ...shown }))) return refuse("subject_token_invalid")
  if (!parent.paid && !parent.ended && !(await isListed(rows, parent))) return refuse("access_denied")
  const since = request.now - longestTokenSeconds
  const recent = integer((await rows.get(q.countDerived, { grantId, since }))?.derived)
  const decision = deriveFrom(parent, await settlementOf(rows, grantId, redemption), recent, request)
  if (decision.kind === "derived") {
    const { grant } = decision
    await addGrant(rows, grant)
    await book(rows, derivedFact(grant), { grantId: grant.id, redemptionKey: null }, request.now)
  }
  return { decision, redemption }
}

/** `redemption` is the payment that the grant stands on now; another one behind it may be suspended after a reorg. */
async function settlementOf(
  rows: Rows,
  grantId: string,
  redemption: Redemption | null,
): Promise<SettlementState> {
  if (!redemption) return "none"
  return (await isSuspended(rows, grantId)) ? "suspended" : settlementState(redemption.state)
}
