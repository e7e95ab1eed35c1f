/** What is counted of the redemptions, on SQLite: what is owed and was lost, of everybody and of each payer. */
import type BetterSqlite3 from "better-sqlite3"
import { type Breaker, changeOf, type Exposure, lossWindowSeconds, trippedAt } from "../../core/exposure.ts"
import type { Redemption } from "../../core/redemption.ts"
import { amount, integer, type Row, text } from "./rows.ts"

export function createCounters(db: BetterSqlite3.Database) {
  const readTotals = db.prepare<[], Row>("SELECT unsettled, lost, queued FROM totals")
  const writeTotals = db.prepare("UPDATE totals SET unsettled = ?, lost = ?, queued = ?")
  const readPayer = db.prepare<[string], Row>("SELECT unsettled, open, settled FROM payers WHERE address = ?")
  const writePayer = db.prepare(`
    INSERT INTO payers (address, unsettled, open, settled) VALUES (?, ?, ?, ?) ON CONFLICT (address)
    DO UPDATE SET unsettled = excluded.unsettled, open = excluded.open, settled = excluded.settled`)
  const readBreaker = db.prepare<[], Row>("SELECT last_loss_at, minute, probes FROM breaker")
  const writeBreaker = db.prepare("UPDATE breaker SET last_loss_at = ?, minute = ?, probes = ?")
  const addLoss = db.prepare("INSERT INTO losses (redemption_key, at, nominal) VALUES (?, ?, ?)")
  const dropLoss = db.prepare<[string], Row>("DELETE FROM losses WHERE redemption_key = ? RETURNING nominal")
  const allLosses = db.prepare<[], Row>("SELECT nominal FROM losses ORDER BY rowid")
  const oldLosses = db.prepare<[number], Row>("SELECT redemption_key FROM losses WHERE at <= ?")

  function totals(): Pick<Exposure, "unsettled" | "lost" | "queued"> {
    const row = readTotals.get()
    return { unsettled: amount(row?.unsettled), lost: amount(row?.lost), queued: integer(row?.queued) }
  }

  function payer(address: string): Exposure["payer"] {
    const row = readPayer.get(address)
    if (!row) return { unsettled: 0n, open: 0, settled: 0 }
    return { unsettled: amount(row.unsettled), open: integer(row.open), settled: integer(row.settled) }
  }

  function breaker(): Breaker {
    const row = readBreaker.get()
    return {
      lastLossAt: integer(row?.last_loss_at),
      minute: integer(row?.minute),
      probes: integer(row?.probes),
    }
  }

  const setBreaker = ({ lastLossAt, minute, probes }: Breaker): void =>
    void writeBreaker.run(lastLossAt, minute, probes)

  /** Changes the counters by what the row weighs more than it did. */
  function count(before: Redemption | null, after: Redemption, at: number): void {
    const change = changeOf(before, after)
    if (change.unsettled !== 0n || change.queued !== 0)
      changeTotals({ unsettled: change.unsettled, lost: 0n, queued: change.queued })
    if (change.unsettled !== 0n || change.open !== 0 || change.settled !== 0) {
      const { payer: address } = after.transfer
      const mine = payer(address)
      writePayer.run(
        address,
        (mine.unsettled + change.unsettled).toString(),
        mine.open + change.open,
        mine.settled + change.settled,
      )
    }
    if (change.lost > 0n) lose(after.key, change.lost, at)
    if (change.lost < 0n) unlose(after.key)
  }

  function changeTotals(change: Pick<Exposure, "unsettled" | "lost" | "queued">): void {
    const now = totals()
    writeTotals.run(
      (now.unsettled + change.unsettled).toString(),
      (now.lost + change.lost).toString(),
      now.queued + change.queued,
    )
  }

  function lose(key: string, nominal: bigint, at: number): void {
    addLoss.run(key, at, nominal.toString())
    changeTotals({ unsettled: 0n, lost: nominal, queued: 0 })
    setBreaker(trippedAt(at))
  }

  function unlose(key: string): void {
    const row = dropLoss.get(key)
    if (row) changeTotals({ unsettled: 0n, lost: -amount(row.nominal), queued: 0 })
  }

  /** A loss counts for a day. */
  function forgetLosses(now: number): void {
    for (const row of oldLosses.all(now - lossWindowSeconds)) unlose(text(row.redemption_key))
  }

  return {
    count,
    totals,
    losses: () => allLosses.all().map((row) => amount(row.nominal)),
    payer,
    breaker,
    setBreaker,
    forgetLosses,
  }
}
