/** Judges rows by the invariants that hold after every crash (I1 to I6, I8, and I10 for units). */
import { schemes } from "../../shared/schemes/index.ts"
import type { Grant } from "./grant.ts"
import type { LedgerKind } from "./ledger-facts.ts"
import { isExposed, isQueued, type Redemption, settlementState } from "./redemption.ts"

/** A grant with everything the books say of the money behind it, read at one moment. */
export type BookRow = {
  readonly grant: Grant
  readonly redemption: Redemption | null
  /** How many entries of each kind the ledger has for the redemption. */
  readonly entries: Readonly<Partial<Record<LedgerKind, number>>>
  /** The last of them that says how far its money is: `settled`, `imported`, `reopened` or `failed`; null before the first. */
  readonly news: LedgerKind | null
  /** The state of its transaction; null without one. */
  readonly ride: "in_flight" | "done" | null
  /** Units of the grant and of its derived grants, in slices of gates. */
  readonly lent: number
}

/** The value of a payment that is suspended or failed. */
export type Loss = { readonly key: string; readonly nominal: bigint }

/** The unsettled value by row and the stored totals of it, read at one moment. */
export type Exposure = {
  /** In millionths of the nominal currency. */
  readonly unsettled: bigint
  readonly queued: number
  /** Of the last day, as a total and one by one. */
  readonly lost: bigint
  readonly losses: readonly Loss[]
  readonly open: readonly BookRow[]
}

/** Duplicates of unique values, and transactions without their sent bytes. */
export type Doubles = {
  readonly keys: readonly string[]
  /** Each as network, transaction and log. */
  readonly transfers: readonly string[]
  /** Each as network, relayer and nonce. */
  readonly nonces: readonly string[]
  readonly unsigned: readonly string[]
}

/** A broken invariant: its number, the fault, and the row that shows it. */
export type Broken = { readonly invariant: string; readonly what: string; readonly row: string }

export const judgeRow = (row: BookRow): readonly Broken[] => [...judgeUnits(row), ...judgeMoney(row)]

/** I10: given units are left, held by gates or spent, and held units are in their slices. */
function judgeUnits({ grant: { id, meter }, lent }: BookRow): readonly Broken[] {
  const { given, left, held, spent } = meter ?? { given: 0, left: 0, held: 0, spent: 0 }
  // After a withdrawn payment, `left` may be negative by up to the held units.
  const isSound = [held, spent, left + held].every((count) => count >= 0) && left + held + spent === given
  return [
    ...when(!isSound, "I10", "units were made or lost", `grant ${id}`),
    ...when(held !== lent, "I10", `gates hold ${lent} units, the grant says ${held}`, `grant ${id}`),
  ]
}

function judgeMoney({ grant, redemption, entries, news, ride }: BookRow): readonly Broken[] {
  if (!redemption)
    // The units of a derived grant were paid for by its parent.
    return when(
      grant.paid && grant.parent === null,
      "I2",
      "a grant that is called paid has no redemption",
      `grant ${grant.id}`,
    )
  const { key, state, policy, evidence, dueAt, topUp } = redemption
  const count = (kind: LedgerKind): number => entries[kind] ?? 0
  const isSettled = settlementState(state) === "settled"
  // A reorg takes a settlement back, and it may then be settled again.
  const settled = count("settled") + count("imported")
  // Many that a rule ended at once share the rule's entry.
  const hasEnded = grant.ended && (grant.ended.reason !== "settlement_failed" || count("ended") > 0)
  const isWaiting =
    (state === "accepted" && dueAt !== null) ||
    (state === "sent" && ride === "in_flight") ||
    (state === "suspended" && (dueAt !== null || ride === "in_flight")) ||
    (state !== "accepted" && state !== "sent" && state !== "suspended")
  return [
    ...when(!isKeyOf(redemption), "I1", "the key is not the one of its payment", key),
    ...when(
      count("redeemed") + count("imported") !== 1,
      "I2",
      "the claim is not in the ledger exactly once",
      key,
    ),
    ...when(
      policy === "first" && (topUp ? topUp.gave : grant.token) !== null && settled === 0,
      "I2",
      "a token was issued before the money that was to come first",
      key,
    ),
    ...when(isSettled && !evidence, "I4", "it is called paid without a transfer", key),
    ...when(
      isSettled !== (news === "settled" || news === "imported") || settled > count("reopened") + 1,
      "I4",
      "the ledger and the row do not say alike whether it is settled, or it is settled twice",
      key,
    ),
    ...when(
      settlementState(state) === "failed" && (topUp ? topUp.gave !== null : !hasEnded),
      "I6",
      "it failed, and its grant lives",
      key,
    ),
    ...when(
      state === "suspended" && count("suspended") === 0,
      "I6",
      "it is suspended, and no gate was told",
      key,
    ),
    ...when(!isWaiting, "I8", "it is open, and nobody will pick it up", key),
  ]
}

export function judgeExposure({ unsettled, queued, lost, losses, open }: Exposure): readonly Broken[] {
  const rows = open.flatMap(({ redemption }) => redemption ?? [])
  const value = rows
    .filter(({ policy, state }) => policy === "background" && isExposed(state))
    .reduce((total, { nominal }) => total + nominal, 0n)
  const waiting = rows.filter(({ state }) => isQueued(state)).length
  const lostKeys = new Set(losses.map(({ key }) => key))
  const isLoss = ({ policy, state, nominal }: Redemption) =>
    policy === "background" && state === "suspended" && nominal > 0n
  const twice = rows.filter((row) => isExposed(row.state) && lostKeys.has(row.key))
  const missing = rows.filter((row) => isLoss(row) && !lostKeys.has(row.key))
  return [
    ...when(
      value !== unsettled,
      "I3",
      `the total of unsettled value is ${unsettled}, the rows' ${value}`,
      "totals",
    ),
    ...when(
      losses.reduce((total, { nominal }) => total + nominal, 0n) !== lost,
      "I3",
      `the total of losses is ${lost}, which the losses are not`,
      "totals",
    ),
    ...when(
      waiting !== queued,
      "I3",
      `the count of waiting payments is ${queued}, the rows' ${waiting}`,
      "totals",
    ),
    ...twice.map(({ key }) => ({ invariant: "I3", what: "it counts as unsettled and as lost", row: key })),
    ...missing.map(({ key }) => ({ invariant: "I3", what: "it is suspended and not lost", row: key })),
  ]
}

export function judgeDoubles({ keys, transfers, nonces, unsigned }: Doubles): readonly Broken[] {
  return [
    ...keys.map((row) => ({ invariant: "I1", what: "a payment was redeemed twice", row })),
    ...transfers.map((row) => ({ invariant: "I4", what: "one transfer pays for two redemptions", row })),
    ...nonces.map((row) => ({ invariant: "I5", what: "a nonce of the relayer has two transactions", row })),
    ...unsigned.map((row) => ({ invariant: "I5", what: "a transaction is stored without its bytes", row })),
  ]
}

export const brokenLine = ({ invariant, what, row }: Broken): string => `${invariant}: ${what} (${row})`

const when = (isBroken: boolean, invariant: string, what: string, row: string): readonly Broken[] =>
  isBroken ? [{ invariant, what, row }] : []

/** Keys are unique, and made of the payment: so no payment has two. */
function isKeyOf({ key, scheme, network, asset, transfer }: Redemption): boolean {
  const chainId = Number(network.split(":")[1])
  return schemes.get(scheme)?.redemptionKey(chainId, asset, transfer) === key
}
