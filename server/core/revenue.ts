/** Computes the accounts of sales: what was received, earned by time and use, still to be earned, and lost. */
import type { Address } from "../../shared/values/evm.ts"
import { unusedValue } from "./credit.ts"
import type { Grant } from "./grant.ts"
import { isSettled, isUnsettled, type Redemption } from "./redemption.ts"

/**
 * Signed amounts of one asset, in millionths of its currency. Debits are positive and credits negative, so their sum is
 * zero:
 * - `received`   settled payments (debit)
 * - `unsettled`  payments whose money is on its way (debit)
 * - `lost`       used time and units whose payment failed (debit)
 * - `earned`     time that has passed and units that were used (credit)
 * - `unearned`   time and units that buyers may still use (credit)
 */
export const accountNames = ["received", "unsettled", "lost", "earned", "unearned"] as const
export type AccountName = (typeof accountNames)[number]
export type Accounts = Readonly<Record<AccountName, bigint>>

export type AssetAccounts = {
  readonly network: string
  readonly asset: Address
  readonly accounts: Accounts
}

export const noAccounts: Accounts = { received: 0n, unsettled: 0n, lost: 0n, earned: 0n, unearned: 0n }

export const plusAccounts = (a: Accounts, b: Accounts): Accounts => ({
  received: a.received + b.received,
  unsettled: a.unsettled + b.unsettled,
  lost: a.lost + b.lost,
  earned: a.earned + b.earned,
  unearned: a.unearned + b.unearned,
})

/**
 * The accounts of each payment of a grant at a time. `payments`: oldest first; `current`: the one that the grant stands on.
 * The value that is still to be earned belongs to the newest payments, as far as they go.
 */
export function accountsOf(
  grant: Grant,
  payments: readonly Redemption[],
  current: Redemption | null,
  at: number,
): readonly AssetAccounts[] {
  let unearned = current && isPaying(current) ? unearnedOf(grant, current, at) : 0n
  return payments.toReversed().map((payment) => {
    const { network, asset, nominal, state } = payment
    if (state === "free") return { network, asset, accounts: noAccounts }
    if (state === "failed") return { network, asset, accounts: lossOf(grant, payment) }
    const rest = unearned < nominal ? unearned : nominal
    unearned -= rest
    const side = isSettled(state) ? { received: nominal } : { unsettled: nominal }
    return { network, asset, accounts: { ...noAccounts, ...side, earned: rest - nominal, unearned: -rest } }
  })
}

const isPaying = ({ state }: Redemption): boolean => isSettled(state) || isUnsettled(state)

/** Nothing is left to earn from a grant that has ended. Before its first token, nothing is earned yet. */
function unearnedOf(grant: Grant, current: Redemption, at: number): bigint {
  if (grant.ended) return 0n
  if (!grant.token) return current.nominal
  return unusedValue(grant, current, Math.max(at, grant.startsAt))
}

/**
 * The share that was used before the failure. A payment that settles first gives nothing before, and the gains of a top-up
 * are taken back.
 */
function lossOf(grant: Grant, payment: Redemption): Accounts {
  if (payment.policy === "first" || payment.topUp !== null) return noAccounts
  const endedAt = grant.ended?.at ?? grant.expiresAt
  const used =
    payment.nominal - least(payment.nominal, unusedValue(grant, payment, Math.max(endedAt, grant.startsAt)))
  return { ...noAccounts, lost: used, earned: -used }
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
