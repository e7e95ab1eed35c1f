/** The tables of the memory store: maps with a journal, so that a verb that throws has changed nothing. */
import type { Grant } from "../core/grant.ts"
import type { OfferRecord } from "../core/offers.ts"
import {
  isQueued,
  isUnsettled,
  type LedgerKind,
  type MoveEffect,
  type Redemption,
} from "../core/redemption.ts"
import type { WhitelistRow } from "../core/whitelist.ts"
import type { LedgerEntry, RelayTransaction } from "../ports.ts"
import { endedFacts, movedFacts } from "./rules.ts"

type Lease = { readonly holder: string; readonly fence: number; readonly expiresAt: number }

export type MemoryTables = ReturnType<typeof createMemoryTables>

export function createMemoryTables() {
  const offers = new Map<string, OfferRecord>()
  const grants = new Map<string, Grant>()
  const redemptions = new Map<string, Redemption>()
  const keysByPayer = new Map<string, readonly string[]>()
  const keyByGrant = new Map<string, string>()
  const keyByEvidence = new Map<string, string>()
  const entries = new Map<number, LedgerEntry>()
  const whitelist = new Map<string, WhitelistRow>()
  const transactions = new Map<number, RelayTransaction>()
  const nonces = new Map<string, number>()
  const singles = new Map<"lease", Lease>()
  const totals = new Map<"unsettled" | "queued", bigint>()
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

  const total = (name: "unsettled" | "queued"): bigint => totals.get(name) ?? 0n

  function saveRedemption(before: Redemption | undefined, after: Redemption): void {
    const { payer } = after.transfer
    if (!before) {
      put(keysByPayer, payer, [...(keysByPayer.get(payer) ?? []), after.key])
      put(keyByGrant, after.grantId, after.key)
    }
    if (before?.evidence) drop(keyByEvidence, evidenceId(before))
    if (after.evidence) put(keyByEvidence, evidenceId(after), after.key)
    put(redemptions, after.key, after)
    put(totals, "unsettled", total("unsettled") + unsettledOf(after) - unsettledOf(before))
    put(totals, "queued", total("queued") + queuedOf(after) - queuedOf(before))
  }

  function book(
    kind: LedgerKind,
    grantId: string | null,
    redemptionKey: string | null,
    facts: LedgerEntry["facts"],
    at: number,
  ): void {
    const sequence = entries.size + 1
    put(entries, sequence, { sequence, at, kind, grantId, redemptionKey, facts })
  }

  /** Stores the grant, and books its end when that is news. */
  function saveGrant(grant: Grant, redemptionKey: string | null, at: number): void {
    const ends = grant.ended !== null && !grants.get(grant.id)?.ended
    put(grants, grant.id, grant)
    if (grant.ended && ends) book("ended", grant.id, redemptionKey, endedFacts(grant.ended.reason), at)
  }

  function bookMove(before: Redemption, effect: MoveEffect, at: number): void {
    const { redemption, entry, endsGrant } = effect
    if (entry) book(entry, redemption.grantId, redemption.key, movedFacts(before, redemption), at)
    const grant = grants.get(redemption.grantId)
    if (endsGrant && grant && !grant.ended)
      saveGrant({ ...grant, ended: { reason: "settlement_failed", at } }, redemption.key, at)
  }

  const rowsOf = (keys: readonly string[]): readonly Redemption[] =>
    keys.flatMap((key) => redemptions.get(key) ?? [])

  return {
    offers,
    grants,
    redemptions,
    entries,
    whitelist,
    transactions,
    nonces,
    singles,
    atomically,
    put,
    saveRedemption,
    saveGrant,
    book,
    bookMove,
    queued: () => Number(total("queued")),
    unsettled: () => total("unsettled"),
    redemptionsOf: (payer: string) => rowsOf(keysByPayer.get(payer) ?? []),
    redemptionFor: (grantId: string) => rowsOf([keyByGrant.get(grantId) ?? ""])[0] ?? null,
    /** Whether the Transfer that would pay for this row already pays for another. */
    isEvidenceOfOther: (row: Redemption) => (keyByEvidence.get(evidenceId(row)) ?? row.key) !== row.key,
  }
}

const unsettledOf = (row: Redemption | undefined): bigint =>
  row && isUnsettled(row.state) ? row.nominal : 0n
const queuedOf = (row: Redemption | undefined): bigint => (row && isQueued(row.state) ? 1n : 0n)
const evidenceId = ({ network, evidence }: Redemption): string =>
  `${network} ${evidence?.transactionHash} ${evidence?.logIndex}`
