/** The client's store in the memory of this process: the default, gone with it. */
import type { Address } from "../../shared/values/evm.ts"
import { type Counted, daySeconds, mayGiveBack, refusalOf, type Spending } from "../core/budget-rules.ts"
import { type Claim, type ClientStore, type Grant, keyOf, type Payment } from "./store.ts"

type Entry = Spending & { readonly signedAt: number; isKept: boolean; countsUntil: number }

export function createMemoryStore(): ClientStore {
  const claims = new Map<string, Claim>()
  const entries = new Map<string, Entry>()
  const recipients = new Map<string, Set<Address>>()
  const payments = new Map<string, Payment>()
  /** Most recently used first. */
  let grants: Grant[] = []

  const holds = ({ name, holder }: Pick<Claim, "name" | "holder">): boolean =>
    claims.get(name)?.holder === holder
  const without = (grant: Grant): Grant[] => grants.filter((other) => keyOf(other) !== keyOf(grant))
  const placeOf = ({ account, resource }: Pick<Payment, "account" | "resource">): string =>
    JSON.stringify([account, resource])

  function counted({ origin, offer }: Pick<Spending, "origin" | "offer">, now: number): Counted {
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
    return { ...sums, recipients: [...(recipients.get(origin) ?? [])] }
  }

  function approve(origin: string, payTos: readonly Address[]): void {
    recipients.set(origin, new Set([...(recipients.get(origin) ?? []), ...payTos]))
  }

  return {
    writesDown: false,

    async claim(claim, now) {
      const held = claims.get(claim.name)
      if (held && held.holder !== claim.holder && held.until > now) return false
      claims.set(claim.name, claim)
      for (const [id, entry] of entries) {
        const { name, holder } = entry.claim
        if (name === claim.name && holder !== claim.holder && !entry.isKept) entries.delete(id)
      }
      return true
    },
    async unclaim(claim) {
      if (holds(claim)) claims.delete(claim.name)
    },

    async reserve(spending, limits, now) {
      if (!holds(spending.claim)) return { kind: "claim_lost" }
      const known = counted(spending, now)
      const refusal = refusalOf(spending, known, limits)
      if (refusal) return refusal
      entries.set(spending.id, { ...spending, signedAt: now, isKept: false, countsUntil: Infinity })
      approve(spending.origin, known.recipients.length === 0 ? spending.recipients : [spending.payTo])
      return { kind: "reserved" }
    },
    async cancel(reservation) {
      if (entries.get(reservation)?.isKept === false) entries.delete(reservation)
    },
    async giveBack(reservation, { countsUntil, most, now }) {
      const entry = entries.get(reservation)
      if (!entry || entry.countsUntil < Infinity) return
      let givenBack = 0n
      for (const other of entries.values())
        if (other.countsUntil < Infinity && other.signedAt + daySeconds > now) givenBack += other.micros
      if (mayGiveBack(entry.micros, givenBack, most)) entry.countsUntil = countsUntil
    },
    counted: async (of, now) => counted(of, now),
    approveRecipient: async (origin, payTo) => approve(origin, [payTo]),

    async keep(payment) {
      const entry = entries.get(payment.reservation)
      if (!holds(payment.claim) || !entry) return false
      entry.isKept = true
      payments.set(placeOf(payment), payment)
      return true
    },
    unanswered: async (account, resource) => payments.get(placeOf({ account, resource })),
    async drop(payment) {
      if (payments.get(placeOf(payment))?.header === payment.header) payments.delete(placeOf(payment))
    },

    async add(grant, payment) {
      grants = [grant, ...without(grant)]
      if (payment) await this.drop(payment)
    },
    grants: async (account) => grants.filter((grant) => grant.account === account),
    async change(grant, state) {
      grants = grants.map((other) => (keyOf(other) === keyOf(grant) ? { ...other, ...state } : other))
    },
    async prefer(grant) {
      const held = grants.find((other) => keyOf(other) === keyOf(grant))
      if (held) grants = [held, ...without(held)]
    },
    async forget(grant) {
      grants = without(grant)
    },
  }
}
