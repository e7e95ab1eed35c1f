/** What several verbs do to the rows: read, save, count what is unsettled, and book the ledger. */
import type BetterSqlite3 from "better-sqlite3"
import type { GrantEnd, Revocation } from "../../../shared/oauth/revocation.ts"
import { isTopUp, type TopUpEffect, type TopUpRedemption, topUpVerdict } from "../../core/credit.ts"
import type { Grant } from "../../core/grant.ts"
import type { LedgerKind, MoveEffect, Redemption } from "../../core/redemption.ts"
import type { WhitelistRow } from "../../core/whitelist.ts"
import type { LedgerEntry } from "../../ports/records.ts"
import { changeOfTokens, endedFacts, endOf, livingSince, movedFacts, toppedFacts } from "../verbs/rules.ts"
import { createCounters } from "./counters.ts"
import {
  family,
  fixedColumnsOf,
  grantColumnsOf,
  grantFrom,
  living,
  movingColumnsOf,
  type Row,
  redemptionFrom,
  whitelistRowFrom,
} from "./rows.ts"

export type Records = ReturnType<typeof createRecords>

export function createRecords(db: BetterSqlite3.Database) {
  const redemptionByKey = db.prepare<[string], Row>("SELECT * FROM redemptions WHERE key = ?")
  const currentOfGrant = db.prepare<[string], Row>(
    "SELECT * FROM redemptions WHERE grant_id = ? AND stands = 1 ORDER BY id DESC LIMIT 1",
  )
  const redemptionsOfGrant = db.prepare<[string], Row>(
    "SELECT * FROM redemptions WHERE grant_id = ? ORDER BY id",
  )
  const grantById = db.prepare<[string], Row>("SELECT * FROM grants WHERE id = ?")
  const insertRedemption = db.prepare(`
    INSERT INTO redemptions (key, grant_id, network, scheme, asset, payer, pay_to, value, valid_after, valid_before,
      nonce, signature, nominal, policy, state, from_block, accepted_at, due_at, attempts, transaction_id, transaction_hash,
      log_index, block_number, block_hash, failure, last_error, top_up, opening, stands)
    VALUES (:key, :grant_id, :network, :scheme, :asset, :payer, :pay_to, :value, :valid_after, :valid_before,
      :nonce, :signature, :nominal, :policy, :state, :from_block, :accepted_at, :due_at, :attempts, :transaction_id,
      :transaction_hash, :log_index, :block_number, :block_hash, :failure, :last_error, :top_up, :opening, :stands)`)
  const updateRedemption = db.prepare(`
    UPDATE redemptions SET state = :state, due_at = :due_at, attempts = :attempts, transaction_id = :transaction_id,
      transaction_hash = :transaction_hash, log_index = :log_index, block_number = :block_number,
      block_hash = :block_hash, failure = :failure, last_error = :last_error, top_up = :top_up, stands = :stands
    WHERE key = :key`)
  const insertGrant = db.prepare(`
    INSERT INTO grants (id, offer, scope, subject, paid, starts_at, expires_at, opening, idempotency_hash, key_thumbprint,
      parent, generation, units_given, units_left, units_held, units_spent,
      token_jti, token_issued_at, token_expires_at, token_settled, end_reason, ended_at)
    VALUES (:id, :offer, :scope, :subject, :paid, :starts_at, :expires_at, :opening, :idempotency_hash, :key_thumbprint,
      :parent, :generation, :units_given, :units_left, :units_held, :units_spent,
      :token_jti, :token_issued_at, :token_expires_at, :token_settled, :end_reason, :ended_at)`)
  const updateGrant = db.prepare(`
    UPDATE grants SET starts_at = :starts_at, expires_at = :expires_at, generation = :generation, token_jti = :token_jti,
      token_issued_at = :token_issued_at, token_expires_at = :token_expires_at, token_settled = :token_settled,
      end_reason = :end_reason, ended_at = :ended_at
    WHERE id = :id`)
  const updateTerms = db.prepare(`
    UPDATE grants SET offer = :offer, scope = :scope, units_given = :units_given, units_left = :units_left,
      units_held = :units_held, units_spent = :units_spent
    WHERE id = :id`)
  const dropSlices = db.prepare(`DELETE FROM slices WHERE grant_id IN ${family}`)
  const spendHeld = db.prepare(`
    UPDATE grants SET units_spent = units_spent + units_held, units_held = 0 WHERE parent = :id AND units_held > 0`)
  const insertEntry = db.prepare(
    "INSERT INTO entries (at, kind, grant_id, redemption_key, facts) VALUES (?, ?, ?, ?, ?)",
  )
  const insertRevocation = db.prepare(
    "INSERT INTO revocations (sequence, content, jti, expires_at) VALUES (?, ?, ?, ?)",
  )
  const dropRevocations = db.prepare("DELETE FROM revocations WHERE expires_at < ?")
  // In the order of their rows, but not by looking at all of them: hence the plus.
  const livingGrants = db.prepare<{ id: string; since: number; before: number }, Row>(`
    SELECT * FROM grants WHERE ${living} AND (subject = :id OR substr(subject, -length(:id) - 1) = ':' || :id)
    ORDER BY +rowid`)
  const whitelistById = db.prepare<[string], Row>("SELECT * FROM whitelist WHERE id = ?")
  const counters = createCounters(db)

  const redemption = (row: Row | undefined): Redemption | null => (row ? redemptionFrom(row) : null)

  /** Stores the row, and changes with it what is counted of it. */
  function saveRedemption(before: Redemption | null, after: Redemption, at: number): void {
    if (before) updateRedemption.run(movingColumnsOf(after))
    else insertRedemption.run({ ...fixedColumnsOf(after), ...movingColumnsOf(after) })
    counters.count(before, after, at)
  }

  function grant(id: string): Grant | null {
    const row = grantById.get(id)
    return row ? grantFrom(row) : null
  }

  function book(
    kind: LedgerKind,
    grantId: string | null,
    redemptionKey: string | null,
    facts: LedgerEntry["facts"],
    at: number,
  ): number {
    const { lastInsertRowid } = insertEntry.run(at, kind, grantId, redemptionKey, JSON.stringify(facts))
    return Number(lastInsertRowid)
  }

  /** Lets gates know of an entry. */
  function publish(sequence: number, revocation: Revocation, at: number): void {
    dropRevocations.run(livingSince(at))
    const jti = revocation.kind === "token" ? revocation.jti : null
    insertRevocation.run(sequence, JSON.stringify(revocation), jti, revocation.expiresAt)
  }

  /** Replaces the grant; its end, when that is news, is booked and published. */
  function saveGrant(
    before: Grant,
    after: Grant,
    redemptionKey: string | null,
    at: number,
    facts: LedgerEntry["facts"] = {},
  ): void {
    updateGrant.run(grantColumnsOf(after))
    if (!after.ended || before.ended) return
    const { reason } = after.ended
    publish(
      book("ended", after.id, redemptionKey, endedFacts(reason, facts), at),
      endOf(after, reason, at),
      at,
    )
  }

  /** Ends what lives of a subject's grants that began before; answers how many. */
  function endGrantsOf(
    { id, before, unpaid = false }: { id: string; before: number; unpaid?: boolean },
    reason: GrantEnd,
    at: number,
    facts?: LedgerEntry["facts"],
  ): number {
    const found = livingGrants.all({ id, since: livingSince(at), before }).map(grantFrom)
    const ending = found.filter((each) => !unpaid || !each.paid)
    for (const each of ending) {
      const key = redemption(currentOfGrant.get(each.id))?.key ?? null
      saveGrant(each, { ...each, ended: { reason, at } }, key, at, facts)
    }
    return ending.length
  }

  const currentFor = (grantId: string): Redemption | null => redemption(currentOfGrant.get(grantId))

  /** Changes the grant as its further payment, or the end of that, has it. */
  function carryOut(open: Grant, bought: TopUpRedemption, effect: TopUpEffect, at: number): TopUpRedemption {
    const { id } = open
    const after = { ...bought, topUp: effect.topUp }
    saveRedemption(bought, after, at)
    if (effect.dropsSlices) {
      dropSlices.run({ id })
      spendHeld.run({ id })
    }
    updateTerms.run(grantColumnsOf(effect.grant))
    saveGrant(open, effect.grant, bought.key, at)
    const sequence = book(effect.entry, id, bought.key, toppedFacts(bought, effect), at)
    if (effect.tokensFrom !== null) publish(sequence, changeOfTokens(id, effect.tokensFrom, at), at)
    return after
  }

  function bookMove(before: Redemption, effect: MoveEffect, at: number): void {
    const { redemption: after, entry, endsGrant } = effect
    if (entry) book(entry, after.grantId, after.key, movedFacts(before, after), at)
    const open = grant(after.grantId)
    if (isTopUp(after)) {
      const verdict = open && topUpVerdict(open, currentFor(open.id), after, at)
      if (verdict) carryOut(open, after, verdict, at)
    } else if (endsGrant && open && !open.ended)
      saveGrant(open, { ...open, ended: { reason: "settlement_failed", at } }, after.key, at)
  }

  function whitelisted(id: string): WhitelistRow | null {
    const row = whitelistById.get(id)
    return row ? whitelistRowFrom(row) : null
  }

  return {
    redemption: (key: string) => redemption(redemptionByKey.get(key)),
    redemptionFor: currentFor,
    paymentsFor: (grantId: string) => redemptionsOfGrant.all(grantId).map(redemptionFrom),
    carryOut,
    saveRedemption,
    grant,
    addGrant: (added: Grant) => void insertGrant.run(grantColumnsOf(added)),
    saveGrant,
    endGrantsOf,
    book,
    publish,
    bookMove,
    whitelisted,
    totals: counters.totals,
    losses: counters.losses,
    payer: counters.payer,
    breaker: counters.breaker,
    setBreaker: counters.setBreaker,
    forgetLosses: counters.forgetLosses,
  }
}
