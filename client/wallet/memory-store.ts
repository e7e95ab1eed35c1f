/** The client's store in the memory of this process: the default, lost when the process ends. */
import { createMemorySpendings } from "./memory-spendings.ts"
import {
  type ClientStore,
  type Grant,
  isFirstRefusal,
  keyOf,
  type Lock,
  type LockHolder,
  type Payment,
} from "./store.ts"

export function createMemoryStore(): ClientStore {
  const locks = new Map<string, Lock>()
  const spendings = createMemorySpendings()
  const payments = new Map<string, Payment>()
  /** Most recently used first. */
  let grants: Grant[] = []

  const holds = ({ name, holder }: LockHolder): boolean => locks.get(name)?.holder === holder
  const without = (grant: Grant): Grant[] => grants.filter((other) => keyOf(other) !== keyOf(grant))
  const placeOf = ({ account, resource }: Pick<Payment, "account" | "resource">): string =>
    JSON.stringify([account, resource])

  return {
    isDurable: false,

    async lock(lock, now) {
      const held = locks.get(lock.name)
      if (held && held.holder !== lock.holder && held.until > now) return false
      locks.set(lock.name, lock)
      spendings.voidUnkept(lock)
      return true
    },
    async unlock(lock) {
      if (holds(lock)) locks.delete(lock.name)
    },

    reserve: async (spending, limits, now) =>
      holds(spending.lock) ? spendings.reserve(spending, limits, now) : { kind: "lock_lost" },
    cancel: async (reservation) => spendings.cancel(reservation),
    giveBack: async (reservation, terms) => spendings.giveBack(reservation, terms),
    sumSpending: async (of, now) => spendings.sum(of, now),
    clearRefusals: async (origin) => spendings.clearRefusals(origin),
    approveRecipient: async (origin, payTo) => spendings.approve(origin, [payTo]),

    async keep(payment) {
      if (!holds(payment.lock) || !spendings.markKept(payment.reservation)) return false
      payments.set(placeOf(payment), payment)
      return true
    },
    findUnanswered: async (account, resource) => payments.get(placeOf({ account, resource })),
    async drop(payment) {
      if (payments.get(placeOf(payment))?.header === payment.header) payments.delete(placeOf(payment))
    },
    async undo(payment) {
      await this.drop(payment)
      spendings.remove(payment.reservation)
    },

    async add(grant, payment) {
      grants = [grant, ...without(grant)]
      if (payment) await this.drop(payment)
    },
    listGrants: async (account) => grants.filter((grant) => grant.account === account),
    async change(grant, state) {
      grants = grants.map((other) => (keyOf(other) === keyOf(grant) ? { ...other, ...state } : other))
    },
    async recordAccess(origin, at, grant) {
      if (grant) await this.change(grant, { openedAt: at })
      spendings.clearRefusals(origin)
    },
    async recordRefusal(origin, at, grant) {
      const held = grant && grants.find((other) => keyOf(other) === keyOf(grant))
      if (grant && !isFirstRefusal(held)) return
      if (held) await this.change(held, { refusedAt: at })
      spendings.recordRefusal(origin, at)
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
