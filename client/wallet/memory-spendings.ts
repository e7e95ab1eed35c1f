/** The spendings and recipients of the memory store. */
import type { Address } from "../../shared/values/evm.ts"
import {
  type Counted,
  daySeconds,
  type Limits,
  mayGiveBack,
  refusalOf,
  refusalSeconds,
  type Spending,
} from "../core/budget-rules.ts"
import type { GiveBack, Lock, Reserved } from "./store.ts"

type Entry = Spending & { readonly signedAt: number; isKept: boolean; countsUntil: number }

export function createMemorySpendings() {
  const entries = new Map<string, Entry>()
  const recipients = new Map<string, Set<Address>>()
  /** Instants, by origin. */
  const refusals = new Map<string, number[]>()
  const recentRefusals = (origin: string, now: number): number[] =>
    (refusals.get(origin) ?? []).filter((at) => at + refusalSeconds > now)

  function sum({ origin, offer }: Pick<Spending, "origin" | "offer">, now: number): Counted {
    const sums = { day: 0n, originDay: 0n, origin: 0n, offer: 0n, total: 0n }
    for (const entry of entries.values()) {
      const isHere = entry.origin === origin
      const isToday = entry.signedAt + daySeconds > now && entry.countsUntil > now
      sums.total += entry.micros
      if (isToday) sums.day += entry.micros
      if (isHere) sums.origin += entry.micros
      if (isHere && isToday) sums.originDay += entry.micros
      if (isHere && entry.offer === offer) sums.offer += entry.micros
    }
    const known = [...(recipients.get(origin) ?? [])]
    return { ...sums, refusals: recentRefusals(origin, now).length, recipients: known }
  }

  function approve(origin: string, payTos: readonly Address[]): void {
    recipients.set(origin, new Set([...(recipients.get(origin) ?? []), ...payTos]))
  }

  return {
    sum,
    approve,
    reserve(spending: Spending, limits: Limits, now: number): Reserved {
      const known = sum(spending, now)
      const refusal = refusalOf(spending, known, limits)
      if (refusal) return refusal
      entries.set(spending.id, { ...spending, signedAt: now, isKept: false, countsUntil: Infinity })
      approve(spending.origin, known.recipients.length === 0 ? spending.recipients : [spending.payTo])
      return { kind: "reserved" }
    },
    recordRefusal: (origin: string, at: number): void =>
      void refusals.set(origin, [...recentRefusals(origin, at), at]),
    clearRefusals: (origin: string): void => void refusals.delete(origin),
    /** False for a reservation that is void. */
    markKept(reservation: string): boolean {
      const entry = entries.get(reservation)
      if (entry) entry.isKept = true
      return entry !== undefined
    },
    cancel(reservation: string): void {
      if (entries.get(reservation)?.isKept === false) entries.delete(reservation)
    },
    remove: (reservation: string): void => void entries.delete(reservation),
    voidUnkept({ name, holder }: Lock): void {
      for (const [id, { lock, isKept }] of entries)
        if (lock.name === name && lock.holder !== holder && !isKept) entries.delete(id)
    },
    giveBack(reservation: string, { countsUntil, most, now }: GiveBack): void {
      const entry = entries.get(reservation)
      if (!entry || entry.countsUntil < Infinity) return
      let givenBack = 0n
      for (const other of entries.values())
        if (other.countsUntil < Infinity && other.signedAt + daySeconds > now) givenBack += other.micros
      if (mayGiveBack(entry.micros, givenBack, most)) entry.countsUntil = countsUntil
    },
  }
}
