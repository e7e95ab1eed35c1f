/** What the file's store does inside of its transactions, statement by statement. */
import { hostname } from "node:os"
import type { Database } from "better-sqlite3"
import type { Address } from "../../shared/values/evm.ts"
import { type Counted, daySeconds, type Spending } from "../core/budget-rules.ts"
import { type Claim, type Grant, keyOf, type Payment } from "../wallet/store.ts"

import { codeOf } from "./private-file.ts"

type Held = { readonly holder: string; readonly until: number; readonly host: string; readonly pid: number }
type Sums = Omit<Counted, "recipients">

export function verbsOf(db: Database) {
  const host = hostname()
  const statements = {
    claimed: db.prepare<[string], Held>("SELECT holder, until, host, pid FROM claims WHERE name = ?"),
    claim: db.prepare("REPLACE INTO claims (name, holder, until, host, pid) VALUES (?, ?, ?, ?, ?)"),
    voidUnkept: db.prepare("DELETE FROM spendings WHERE kept = 0 AND claim = ? AND holder <> ?"),
    unclaim: db.prepare("DELETE FROM claims WHERE name = ? AND holder = ?"),
    book: db.prepare(
      "INSERT INTO spendings (id, micros, origin, offer, signed_at, kept, claim, holder) VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
    ),
    cancel: db.prepare("DELETE FROM spendings WHERE id = ? AND kept = 0"),
    markKept: db.prepare("UPDATE spendings SET kept = 1 WHERE id = ?"),
    unreturned: db
      .prepare<[string], bigint>("SELECT micros FROM spendings WHERE id = ? AND counts_until IS NULL")
      .pluck()
      .safeIntegers(),
    givenBack: db
      .prepare<[number], bigint>(
        "SELECT COALESCE(SUM(micros), 0) FROM spendings WHERE counts_until IS NOT NULL AND signed_at > ?",
      )
      .pluck()
      .safeIntegers(),
    countUntil: db.prepare("UPDATE spendings SET counts_until = ? WHERE id = ?"),
    sums: db
      .prepare<[Record<string, unknown>], Sums>(
        `WITH all_time AS (
           SELECT micros, origin = :origin AS here, origin = :origin AND offer = :offer AS same,
             signed_at > :since AND (counts_until IS NULL OR counts_until > :now) AS today
           FROM spendings
         )
         SELECT COALESCE(SUM(micros), 0) AS total,
           COALESCE(SUM(micros) FILTER (WHERE today), 0) AS day,
           COALESCE(SUM(micros) FILTER (WHERE here), 0) AS origin,
           COALESCE(SUM(micros) FILTER (WHERE here AND today), 0) AS originDay,
           COALESCE(SUM(micros) FILTER (WHERE same), 0) AS offer
         FROM all_time`,
      )
      .safeIntegers(),
    recipients: db
      .prepare<[string], Address>("SELECT pay_to FROM recipients WHERE origin = ? ORDER BY rowid")
      .pluck(),
    approve: db.prepare("INSERT OR IGNORE INTO recipients (origin, pay_to) VALUES (?, ?)"),
    keep: db.prepare("REPLACE INTO payments (account, resource, header, payment) VALUES (?, ?, ?, ?)"),
    unanswered: db
      .prepare<[string, string], string>("SELECT payment FROM payments WHERE account = ? AND resource = ?")
      .pluck(),
    drop: db.prepare("DELETE FROM payments WHERE account = ? AND resource = ? AND header = ?"),
    add: db.prepare(
      "REPLACE INTO grants (key, account, used, grant_text) SELECT ?, ?, COALESCE(MAX(used), 0) + 1, ? FROM grants",
    ),
    grants: db
      .prepare<[string], string>("SELECT grant_text FROM grants WHERE account = ? ORDER BY used DESC")
      .pluck(),
    grant: db.prepare<[string], string>("SELECT grant_text FROM grants WHERE key = ?").pluck(),
    write: db.prepare("UPDATE grants SET grant_text = ? WHERE key = ?"),
    prefer: db.prepare("UPDATE grants SET used = (SELECT MAX(used) + 1 FROM grants) WHERE key = ?"),
    forget: db.prepare("DELETE FROM grants WHERE key = ?"),
  }
  /** A holder who can be seen to have died is waited for no longer. */
  const isGone = (held: Held): boolean =>
    held.host === host && held.pid !== process.pid && !isRunning(held.pid)

  return {
    claim({ name, holder, until }: Claim, now: number): boolean {
      const held = statements.claimed.get(name)
      if (held && held.holder !== holder && held.until > now && !isGone(held)) return false
      statements.claim.run(name, holder, until, host, process.pid)
      statements.voidUnkept.run(name, holder)
      return true
    },
    holds: ({ name, holder }: Pick<Claim, "name" | "holder">): boolean =>
      statements.claimed.get(name)?.holder === holder,
    unclaim: ({ name, holder }: Pick<Claim, "name" | "holder">): void =>
      void statements.unclaim.run(name, holder),

    book({ id, micros, origin, offer, claim }: Spending, now: number): void {
      statements.book.run(id, micros, origin, offer, now, claim.name, claim.holder)
    },
    cancel: (id: string): void => void statements.cancel.run(id),
    markKept: (id: string): boolean => statements.markKept.run(id).changes > 0,
    unreturned: (id: string): bigint | undefined => statements.unreturned.get(id),
    givenBack: (now: number): bigint => statements.givenBack.get(now - daySeconds) ?? 0n,
    countUntil: (id: string, until: number): void => void statements.countUntil.run(until, id),
    counted({ origin, offer }: Pick<Spending, "origin" | "offer">, now: number): Counted {
      const sums = statements.sums.get({ origin, offer, now, since: now - daySeconds })
      if (!sums) throw new Error("a sum without a row")
      return { ...sums, recipients: statements.recipients.all(origin) }
    },
    approve: (origin: string, payTo: Address): void => void statements.approve.run(origin, payTo),

    keep(payment: Payment): void {
      statements.keep.run(payment.account, payment.resource, payment.header, JSON.stringify(payment))
    },
    unanswered: (account: Address, resource: string): Payment | undefined =>
      read<Payment>(statements.unanswered.get(account, resource)),
    drop: ({ account, resource, header }: Payment): void =>
      void statements.drop.run(account, resource, header),

    add: (grant: Grant): void => void statements.add.run(keyOf(grant), grant.account, JSON.stringify(grant)),
    grants: (account: Address): Grant[] => statements.grants.all(account).map((text) => JSON.parse(text)),
    grant: (grant: Grant): Grant | undefined => read<Grant>(statements.grant.get(keyOf(grant))),
    write: (grant: Grant): void => void statements.write.run(JSON.stringify(grant), keyOf(grant)),
    prefer: (grant: Grant): void => void statements.prefer.run(keyOf(grant)),
    forget: (grant: Grant): void => void statements.forget.run(keyOf(grant)),
  }
}

const read = <T>(text: string | undefined): T | undefined =>
  text === undefined ? undefined : (JSON.parse(text) as T)

/** Signal 0 is sent to nobody; EPERM is somebody else's process, and alive. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) !== "ESRCH"
  }
}
