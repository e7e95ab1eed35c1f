/** The verbs of the file's store, each for use inside a transaction. */
import { hostname } from "node:os"
import type { Database } from "better-sqlite3"
import type { Address } from "../../shared/values/evm.ts"
import { type Counted, daySeconds, mayGiveBack, refusalOf, refusalSeconds } from "../core/budget-rules.ts"
import {
  type ClientStore,
  type Grant,
  type GrantState,
  isFirstRefusal,
  keyOf,
  type LockHolder,
  type Payment,
} from "../wallet/store.ts"
import { codeOf } from "./private-file.ts"
import { type LockRow, prepareStatements } from "./statements.ts"

/** The methods of {@link ClientStore} that are verbs, without their promises. */
export type Verbs = {
  readonly [name in keyof ClientStore as ClientStore[name] extends boolean ? never : name]: (
    ...args: Parameters<Extract<ClientStore[name], (...args: never) => unknown>>
  ) => Awaited<ReturnType<Extract<ClientStore[name], (...args: never) => unknown>>>
}

export const createVerbs = (db: Database): Verbs => {
  const statements = prepareStatements(db)
  return { ...lockVerbs(statements), ...spendingVerbs(statements), ...recordVerbs(statements) }
}

type Statements = ReturnType<typeof prepareStatements>

const isHeld = (statements: Statements, { name, holder }: LockHolder): boolean =>
  statements.readLock.get(name)?.holder === holder

function lockVerbs(statements: Statements): Pick<Verbs, "lock" | "unlock"> {
  const host = hostname()
  /** A process that has ended keeps nobody waiting. */
  const isGone = (row: LockRow): boolean =>
    row.host === host && row.pid !== process.pid && !isRunning(row.pid)

  return {
    lock({ name, holder, until }, now) {
      const held = statements.readLock.get(name)
      if (held && held.holder !== holder && held.until > now && !isGone(held)) return false
      statements.lock.run(name, holder, until, host, process.pid)
      statements.voidUnkept.run(name, holder)
      return true
    },
    unlock: ({ name, holder }) => void statements.unlock.run(name, holder),
  }
}

type SpendingVerb = "reserve" | "cancel" | "giveBack" | "sumSpending" | "clearRefusals" | "approveRecipient"

function spendingVerbs(statements: Statements): Pick<Verbs, SpendingVerb> {
  const approve = (origin: string, payTo: Address): void => void statements.approve.run(origin, payTo)

  function sumSpending({ origin, offer }: Parameters<Verbs["sumSpending"]>[0], now: number): Counted {
    const sums = statements.sum.get({ origin, offer, now, since: now - daySeconds })
    if (!sums) throw new Error("a sum without a row")
    const refusals = statements.countRefusals.get(origin, now - refusalSeconds) ?? 0
    return { ...sums, refusals, recipients: statements.listRecipients.all(origin) }
  }

  return {
    sumSpending,
    reserve(spending, limits, now) {
      const { id, micros, origin, offer, lock, payTo } = spending
      if (!isHeld(statements, lock)) return { kind: "lock_lost" }
      const counted = sumSpending(spending, now)
      const refusal = refusalOf(spending, counted, limits)
      if (refusal) return refusal
      statements.reserve.run(id, micros, origin, offer, now, lock.name, lock.holder)
      for (const each of counted.recipients.length === 0 ? spending.recipients : [payTo])
        approve(origin, each)
      return { kind: "reserved" }
    },
    cancel: (reservation) => void statements.cancel.run(reservation),
    giveBack(reservation, { countsUntil, most, now }) {
      const micros = statements.readCounting.get(reservation)
      const givenBack = statements.sumGivenBack.get(now - daySeconds) ?? 0n
      if (micros !== undefined && mayGiveBack(micros, givenBack, most))
        statements.countUntil.run(countsUntil, reservation)
    },
    clearRefusals: (origin) => void statements.clearRefusals.run(origin),
    approveRecipient: approve,
  }
}

type RecordVerb = Exclude<keyof Verbs, SpendingVerb | "lock" | "unlock">

function recordVerbs(statements: Statements): Pick<Verbs, RecordVerb> {
  const drop = ({ account, resource, header }: Payment): void =>
    void statements.drop.run(account, resource, header)

  const readGrant = (grant: Grant): Grant | undefined => {
    const text = statements.readGrant.get(keyOf(grant))
    return text === undefined ? undefined : JSON.parse(text)
  }

  function change(grant: Grant, state: Partial<GrantState>): void {
    const held = readGrant(grant)
    if (held) statements.writeGrant.run(JSON.stringify({ ...held, ...state }), keyOf(grant))
  }

  return {
    keep(payment) {
      if (!isHeld(statements, payment.lock) || statements.markKept.run(payment.reservation).changes === 0)
        return false
      statements.keep.run(payment.account, payment.resource, payment.header, writePayment(payment))
      return true
    },
    findUnanswered: (account, resource) => readPayment(statements.findUnanswered.get(account, resource)),
    drop,
    undo(payment) {
      drop(payment)
      statements.remove.run(payment.reservation)
    },

    add(grant, payment) {
      statements.add.run(keyOf(grant), grant.account, JSON.stringify(grant))
      if (payment) drop(payment)
    },
    listGrants: (account) => statements.listGrants.all(account).map((text): Grant => JSON.parse(text)),
    change,
    recordAccess(origin, at, grant) {
      if (grant) change(grant, { openedAt: at })
      statements.clearRefusals.run(origin)
    },
    recordRefusal(origin, at, grant) {
      if (grant && !isFirstRefusal(readGrant(grant))) return
      if (grant) change(grant, { refusedAt: at })
      statements.pruneRefusals.run(at - refusalSeconds)
      statements.recordRefusal.run(origin, at)
    },
    prefer: (grant) => void statements.prefer.run(keyOf(grant)),
    forget: (grant) => void statements.forget.run(keyOf(grant)),
  }
}

/** Files name the lock of a payment `claim`, as their tables do. */
const writePayment = ({ lock, ...rest }: Payment): string => JSON.stringify({ ...rest, claim: lock })

function readPayment(text: string | undefined): Payment | undefined {
  if (text === undefined) return undefined
  const { claim, ...rest } = JSON.parse(text)
  return { ...rest, lock: claim }
}

/** Signal 0 only checks; EPERM means a process of another user, which is alive. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) !== "ESRCH"
  }
}
