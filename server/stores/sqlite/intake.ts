/** The verbs of the ticket office and of those who read the ledger, on SQLite. */
import type BetterSqlite3 from "better-sqlite3"
import { topUpGrant, whyNoTopUp } from "../../core/credit.ts"
import { type PresentedToken, withinParent } from "../../core/derive.ts"
import type { Exposure } from "../../core/exposure.ts"
import { idempotencySeconds } from "../../core/grant.ts"
import { voidStates } from "../../core/redemption.ts"
import { memberOf } from "../../core/whitelist.ts"
import type { PaymentOrder, RedeemOrder } from "../../ports/records.ts"
import {
  admissionOf,
  derivationOf,
  derivedFacts,
  derivedSince,
  isAdmitted,
  issueOf,
  redeemedFacts,
  rotationOf,
  rowsOf,
  topUpFacts,
  topUpRedemptionOf,
  usedKeysLimit,
} from "../verbs/rules.ts"
import type { IntakeVerb, Verbs } from "../verbs/verb-list.ts"
import type { Records } from "./records.ts"
import {
  amount,
  entryFrom,
  integer,
  listOf,
  offerContentOf,
  offerRecordFrom,
  type Row,
  text,
} from "./rows.ts"

export function createIntakeVerbs(db: BetterSqlite3.Database, records: Records): Pick<Verbs, IntakeVerb> {
  const replaceOffers = db.prepare("UPDATE offers SET replaced_at = ? WHERE ref = ?")
  const putOffer = db.prepare(
    "INSERT INTO offers (ref, content) VALUES (?, ?) ON CONFLICT (ref) DO UPDATE SET replaced_at = NULL",
  )
  const allOffers = db.prepare<[], Row>("SELECT * FROM offers ORDER BY id")
  const hashTaken = db.prepare<[string, number], Row>(
    "SELECT 1 FROM grants WHERE idempotency_hash = ? AND starts_at >= ? LIMIT 1",
  )
  const grantIdBy = {
    id: db.prepare<[string], Row>("SELECT id FROM grants WHERE id = ?"),
    opening: db.prepare<[string], Row>("SELECT id FROM grants WHERE opening = ? ORDER BY rowid DESC LIMIT 1"),
    idempotencyHash: db.prepare<[string], Row>(
      "SELECT id FROM grants WHERE idempotency_hash = ? ORDER BY starts_at DESC, rowid DESC LIMIT 1",
    ),
  }
  const byOpening = db.prepare<[string], Row>(
    "SELECT key FROM redemptions WHERE opening = ? ORDER BY id DESC LIMIT 1",
  )
  const unmined = db.prepare<[string, string, string], Row>(`
    SELECT value FROM redemptions
    WHERE network = ? AND asset = ? AND payer = ? AND block_number IS NULL AND state NOT IN (${listOf(voidStates)})`)
  const minedAfter = db.prepare<[string, string, string, bigint], Row>(`
    SELECT value FROM redemptions
    WHERE network = ? AND asset = ? AND payer = ? AND block_number > ? AND state NOT IN (${listOf(voidStates)})`)
  const countDerived = db.prepare<[string, number], Row>(
    "SELECT count(*) AS derived FROM grants WHERE parent = ? AND token_issued_at > ?",
  )
  const isTakenBack = db.prepare<{ grantId: string } & PresentedToken, Row>(`
    SELECT 1 FROM revocations WHERE jti = :jti
    UNION ALL SELECT 1 FROM revocations
      WHERE content ->> 'kind' = 'tokens' AND content ->> 'grantId' = :grantId AND content ->> 'before' > :issuedAt`)
  const forgetUsed = db.prepare("DELETE FROM used_keys WHERE until < ?")
  const isUsed = db.prepare<[string], Row>("SELECT 1 FROM used_keys WHERE used = ?")
  // A count would look at every row; rows come and go in about this order.
  const usedSpan = db.prepare<[], Row>(
    "SELECT (SELECT max(id) FROM used_keys) - (SELECT min(id) FROM used_keys) + 1 AS span",
  )
  const addUsed = db.prepare("INSERT INTO used_keys (used, until) VALUES (?, ?)")
  const entriesAfter = db.prepare<[number, number], Row>(
    "SELECT * FROM entries WHERE sequence > ? ORDER BY sequence LIMIT ?",
  )

  function recall({ key }: { key: string }) {
    const redemption = records.redemption(key)
    const grant = redemption && records.grant(redemption.grantId)
    return redemption && grant ? { redemption, grant } : null
  }

  // Summed here and not in SQL: SQLite's SUM goes through floats.
  function exposureOf(order: PaymentOrder): Exposure {
    const { payer } = order.transfer
    const pending = [
      ...unmined.all(order.network, order.asset, payer),
      ...minedAfter.all(order.network, order.asset, payer, order.intake.blockNumber),
    ]
    records.forgetLosses(order.now)
    return {
      ...records.totals(),
      pending: pending.reduce((total, row) => total + amount(row.value), 0n),
      payer: records.payer(payer),
      breaker: records.breaker(),
    }
  }

  const isHashTaken = ({ grant, now }: RedeemOrder): boolean =>
    grant.idempotencyHash !== null &&
    hashTaken.get(grant.idempotencyHash, now - idempotencySeconds) !== undefined

  const rowFor = ({ subject }: { readonly subject: string }) => records.whitelisted(memberOf(subject))

  return {
    publishOffers({ offers, now }) {
      const refs = new Set(offers.map((offer) => offer.ref))
      for (const row of allOffers.all())
        if (row.replaced_at === null && !refs.has(text(row.ref))) replaceOffers.run(now, row.ref)
      for (const offer of offers) putOffer.run(offer.ref, offerContentOf(offer))
      return allOffers.all().map(offerRecordFrom)
    },

    redeem(order) {
      const known = recall(order)
      if (known) return { kind: "repeated", ...known }
      if (isHashTaken(order)) return { kind: "refused", reason: "idempotency_conflict" }
      if (!order.settle && !isAdmitted(order.grant, rowFor(order.grant)))
        return { kind: "refused", reason: "access_denied" }
      const admission = order.settle ? admissionOf(order, exposureOf(order)) : null
      if (admission?.kind === "refused") return admission
      const { grant, redemption } = rowsOf(order, admission?.policy ?? "background")
      records.addGrant(grant)
      records.saveRedemption(null, redemption, order.now)
      if (admission?.breaker) records.setBreaker(admission.breaker)
      records.book("redeemed", grant.id, order.key, redeemedFacts(order, redemption), order.now)
      return { kind: "redeemed", redemption, grant, limit: admission?.limit ?? null }
    },

    topUp(order) {
      const known = recall(order)
      if (known) return { kind: "repeated", ...known }
      const grant = records.grant(order.grantId)
      if (!grant) return { kind: "refused", reason: "grant_lost" }
      const current = records.redemptionFor(grant.id)
      const why = whyNoTopUp(
        grant,
        records.paymentsFor(grant.id),
        current,
        topUpRedemptionOf(order, "background"),
        order,
      )
      if (why || !current) return { kind: "refused", reason: why ?? "top_up_refused" }
      const admission = admissionOf(order, exposureOf(order))
      if (admission.kind === "refused") return admission
      const bought = topUpRedemptionOf(order, admission.policy)
      records.saveRedemption(null, bought, order.now)
      if (admission.breaker) records.setBreaker(admission.breaker)
      records.book("redeemed", grant.id, order.key, topUpFacts(bought), order.now)
      const { limit } = admission
      if (admission.policy === "first") return { kind: "redeemed", redemption: bought, grant, limit }
      const effect = topUpGrant(grant, current, bought, order.now)
      const redemption = records.carryOut(grant, bought, effect, order.now)
      return { kind: "redeemed", redemption, grant: effect.grant, limit }
    },

    payments: ({ grantId }) => records.paymentsFor(grantId),

    recall,

    findGrant({ by, value }) {
      const id = grantIdBy[by].get(value)?.id
      const further = id === undefined && by === "opening" ? byOpening.get(value) : undefined
      if (further) return recall({ key: text(further.key) })
      const grant = id === undefined ? null : records.grant(text(id))
      const parent = grant?.parent ? records.grant(grant.parent) : null
      return grant && parent
        ? { grant: withinParent(grant, parent), redemption: records.redemptionFor(parent.id) }
        : grant && { grant, redemption: records.redemptionFor(grant.id) }
    },

    issue({ key, ...request }) {
      const known = recall({ key })
      if (!known) return null
      const grant = issueOf(known, request)
      if (grant !== known.grant) records.saveGrant(known.grant, grant, key, request.now)
      return { ...known, grant }
    },

    rotate({ grantId, ...request }) {
      const grant = records.grant(grantId)
      if (!grant) return null
      const redemption = records.redemptionFor(grantId)
      const decision = rotationOf(grant, redemption, rowFor(grant), request)
      if (decision.grant) records.saveGrant(grant, decision.grant, redemption?.key ?? null, request.now)
      return { decision, redemption }
    },

    derive({ grantId, shown, ...request }) {
      const parent = records.grant(grantId)
      if (!parent) return null
      const redemption = records.redemptionFor(grantId)
      const facts = {
        recent: integer(countDerived.get(grantId, derivedSince(request.now))?.derived),
        isTakenBack: shown !== null && isTakenBack.get({ grantId, ...shown }) !== undefined,
      }
      const decision = derivationOf(parent, redemption, rowFor(parent), facts, request)
      if (decision.kind === "derived") {
        records.addGrant(decision.grant)
        records.book("derived", decision.grant.id, null, derivedFacts(decision.grant), request.now)
      }
      return { decision, redemption }
    },

    useOnce({ key, until, now }) {
      forgetUsed.run(now)
      if (isUsed.get(key)) return "used"
      if (Number(usedSpan.get()?.span ?? 0) >= usedKeysLimit) return "full"
      addUsed.run(key, until)
      return "taken"
    },

    entries: ({ after, limit }) => entriesAfter.all(after, limit).map(entryFrom),
  }
}
