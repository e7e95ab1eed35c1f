/** The tables of the memory store: maps with a journal, so that a verb that throws has changed nothing. */
import type { GrantEnd, Revocation } from "../../../shared/oauth/revocation.ts"
import { isTopUp, stands, type TopUpEffect, type TopUpRedemption, topUpVerdict } from "../../core/credit.ts"
import { type Breaker, changeOf, closedBreaker, lossWindowSeconds, trippedAt } from "../../core/exposure.ts"
import { type Grant, isIssued } from "../../core/grant.ts"
import type { OfferRecord } from "../../core/offers.ts"
import type { LedgerKind, MoveEffect, Redemption } from "../../core/redemption.ts"
import { type Slice, settledMeter } from "../../core/units.ts"
import { memberOf, type WhitelistRow } from "../../core/whitelist.ts"
import type { LedgerEntry, RelayTransaction, TransferId } from "../../ports/records.ts"
import {
  changeOfTokens,
  endedFacts,
  endOf,
  type Lease,
  livingSince,
  movedFacts,
  toppedFacts,
} from "../verbs/rules.ts"

/** What a payer has under way, and how many of his payments were ever paid. */
type PayerRow = { readonly unsettled: bigint; readonly open: number; readonly settled: number }
type Loss = { readonly at: number; readonly nominal: bigint }
type Totals = { readonly unsettled: bigint; readonly lost: bigint; readonly queued: number }

export type MemoryTables = ReturnType<typeof createMemoryTables>

export function createMemoryTables() {
  const offers = new Map<string, OfferRecord>()
  const grants = new Map<string, Grant>()
  const redemptions = new Map<string, Redemption>()
  const keysByPayer = new Map<string, readonly string[]>()
  const keysByGrant = new Map<string, readonly string[]>()
  const keyByEvidence = new Map<string, string>()
  const entries = new Map<number, LedgerEntry>()
  const slices = new Map<number, Slice>()
  const revocations = new Map<number, Revocation>()
  const whitelist = new Map<string, WhitelistRow>()
  const transactions = new Map<number, RelayTransaction>()
  /** Transactions a redemption ever rode in. */
  const rides = new Map<string, readonly number[]>()
  const nonces = new Map<string, number>()
  /** Until when each counts. */
  const usedKeys = new Map<string, number>()
  const progress = new Map<string, { readonly since: bigint; readonly done: bigint }>()
  const singles = new Map<"lease", Lease>()
  const payers = new Map<string, PayerRow>()
  const losses = new Map<string, Loss>()
  const totals = new Map<"all", Totals>()
  const breakers = new Map<"all", Breaker>()
  const undo: (() => void)[] = []

  /** The verb as one transaction. */
  function atomically<T>(work: () => T): T {
    undo.length = 0
    try {
      return work()
    } catch (error) {
      for (const back of undo.reverse()) back()
      throw error
    }
  }

  function put<K, V>(table: Map<K, V>, key: K, value: V): void {
    const before = table.get(key)
    undo.push(() => (before === undefined ? table.delete(key) : table.set(key, before)))
    table.set(key, value)
  }

  function drop<K, V>(table: Map<K, V>, key: K): void {
    const before = table.get(key)
    if (before === undefined) return
    undo.push(() => table.set(key, before))
    table.delete(key)
  }

  const totalOf = (): Totals => totals.get("all") ?? { unsettled: 0n, lost: 0n, queued: 0 }
  const payerOf = (payer: string): PayerRow => payers.get(payer) ?? { unsettled: 0n, open: 0, settled: 0 }

  /** Stores the row, and changes with it what is counted of it. */
  function saveRedemption(before: Redemption | undefined, after: Redemption, at: number): void {
    const { payer } = after.transfer
    if (!before) {
      put(keysByPayer, payer, [...(keysByPayer.get(payer) ?? []), after.key])
      put(keysByGrant, after.grantId, [...(keysByGrant.get(after.grantId) ?? []), after.key])
    }
    if (before?.evidence) drop(keyByEvidence, evidenceId(before))
    if (after.evidence) put(keyByEvidence, evidenceId(after), after.key)
    put(redemptions, after.key, after)
    const change = changeOf(before ?? null, after)
    const { unsettled, lost, queued } = totalOf()
    put(totals, "all", { unsettled: unsettled + change.unsettled, lost, queued: queued + change.queued })
    const mine = payerOf(payer)
    put(payers, payer, {
      unsettled: mine.unsettled + change.unsettled,
      open: mine.open + change.open,
      settled: mine.settled + change.settled,
    })
    if (change.lost > 0n) lose(after.key, change.lost, at)
    if (change.lost < 0n) unlose(after.key)
  }

  function lose(key: string, nominal: bigint, at: number): void {
    put(losses, key, { at, nominal })
    put(totals, "all", { ...totalOf(), lost: totalOf().lost + nominal })
    put(breakers, "all", trippedAt(at))
  }

  function unlose(key: string): void {
    const loss = losses.get(key)
    if (!loss) return
    drop(losses, key)
    put(totals, "all", { ...totalOf(), lost: totalOf().lost - loss.nominal })
  }

  /** A loss counts for a day. */
  function forgetLosses(now: number): void {
    for (const [key, loss] of losses) if (loss.at <= now - lossWindowSeconds) unlose(key)
  }

  function book(
    kind: LedgerKind,
    grantId: string | null,
    redemptionKey: string | null,
    facts: LedgerEntry["facts"],
    at: number,
  ): number {
    const sequence = entries.size + 1
    put(entries, sequence, { sequence, at, kind, grantId, redemptionKey, facts })
    return sequence
  }

  /** Lets gates know of an entry. */
  function publish(sequence: number, revocation: Revocation, at: number): void {
    for (const [each, { expiresAt }] of revocations) if (expiresAt < livingSince(at)) drop(revocations, each)
    put(revocations, sequence, revocation)
  }

  /** Stores the grant; its end, when that is news, is booked and published. */
  function saveGrant(
    grant: Grant,
    redemptionKey: string | null,
    at: number,
    facts: LedgerEntry["facts"] = {},
  ): void {
    const ends = grant.ended !== null && !grants.get(grant.id)?.ended
    put(grants, grant.id, grant)
    if (!grant.ended || !ends) return
    const { reason } = grant.ended
    publish(
      book("ended", grant.id, redemptionKey, endedFacts(reason, facts), at),
      endOf(grant, reason, at),
      at,
    )
  }

  /** Grants without an end that began before and may have living tokens. */
  const livingGrants = (before: number, at: number): readonly Grant[] =>
    [...grants.values()].filter(
      // The time of a settle-first purchase has not begun before its token is issued.
      (grant) =>
        (!isIssued(grant) || grant.expiresAt >= livingSince(at)) && grant.startsAt < before && !grant.ended,
    )

  /** Ends what lives of a subject's grants that began before; answers how many. */
  function endGrantsOf(
    { id, before, unpaid = false }: { id: string; before: number; unpaid?: boolean },
    reason: GrantEnd,
    at: number,
    facts?: LedgerEntry["facts"],
  ): number {
    const ending = livingGrants(before, at).filter(
      (grant) => memberOf(grant.subject) === id && !(unpaid && grant.paid),
    )
    for (const grant of ending)
      saveGrant({ ...grant, ended: { reason, at } }, redemptionFor(grant.id)?.key ?? null, at, facts)
    return ending.length
  }

  const rowsOf = (keys: readonly string[]): readonly Redemption[] =>
    keys.flatMap((key) => redemptions.get(key) ?? [])

  const paymentsFor = (grantId: string): readonly Redemption[] => rowsOf(keysByGrant.get(grantId) ?? [])

  const redemptionFor = (grantId: string): Redemption | null => paymentsFor(grantId).findLast(stands) ?? null

  /** The grant with all that was derived from it. */
  const familyOf = (id: string): ReadonlySet<string> =>
    new Set(
      [...grants.values()].filter((each) => each.id === id || each.parent === id).map((each) => each.id),
    )

  /** What gates hold of a grant, and of what was derived from it, counts as spent. */
  function dropSlices(id: string): void {
    const family = familyOf(id)
    for (const slice of [...slices.values()]) if (family.has(slice.grantId)) drop(slices, slice.id)
    for (const child of [...grants.values()])
      if (child.parent === id && child.meter)
        put(grants, child.id, { ...child, meter: settledMeter(child.meter) })
  }

  /** Changes the grant as its further payment, or the end of that, has it. */
  function carryOut(bought: TopUpRedemption, effect: TopUpEffect, at: number): TopUpRedemption {
    const { id } = effect.grant
    const after = { ...bought, topUp: effect.topUp }
    saveRedemption(bought, after, at)
    if (effect.dropsSlices) dropSlices(id)
    saveGrant(effect.grant, bought.key, at)
    const sequence = book(effect.entry, id, bought.key, toppedFacts(bought, effect), at)
    if (effect.tokensFrom !== null) publish(sequence, changeOfTokens(id, effect.tokensFrom, at), at)
    return after
  }

  function bookMove(before: Redemption, effect: MoveEffect, at: number): void {
    const { redemption, entry, endsGrant } = effect
    if (entry) book(entry, redemption.grantId, redemption.key, movedFacts(before, redemption), at)
    const grant = grants.get(redemption.grantId)
    if (isTopUp(redemption)) {
      const verdict = grant && topUpVerdict(grant, redemptionFor(grant.id), redemption, at)
      if (verdict) carryOut(redemption, verdict, at)
    } else if (endsGrant && grant && !grant.ended)
      saveGrant({ ...grant, ended: { reason: "settlement_failed", at } }, redemption.key, at)
  }

  return {
    offers,
    grants,
    redemptions,
    entries,
    slices,
    revocations,
    whitelist,
    transactions,
    rides,
    nonces,
    usedKeys,
    progress,
    singles,
    atomically,
    put,
    drop,
    saveRedemption,
    saveGrant,
    livingGrants,
    endGrantsOf,
    book,
    publish,
    bookMove,
    forgetLosses,
    totals: totalOf,
    losses: () => [...losses.values()].map(({ nominal }) => nominal),
    payer: payerOf,
    breaker: () => breakers.get("all") ?? closedBreaker,
    setBreaker: (breaker: Breaker) => put(breakers, "all", breaker),
    isEvidence: (network: string, { transactionHash, logIndex }: TransferId) =>
      keyByEvidence.has(`${network} ${transactionHash} ${logIndex}`),
    redemptionsOf: (payer: string) => rowsOf(keysByPayer.get(payer) ?? []),
    redemptionFor,
    paymentsFor,
    familyOf,
    carryOut,
    /** Whether the Transfer that would pay for this row already pays for another. */
    isEvidenceOfOther: (row: Redemption) => (keyByEvidence.get(evidenceId(row)) ?? row.key) !== row.key,
  }
}

const evidenceId = ({ network, evidence }: Redemption): string =>
  `${network} ${evidence?.transactionHash} ${evidence?.logIndex}`
