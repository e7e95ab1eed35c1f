/** Compares the books with the chain, transfer by transfer. */
import type { Address, Hex } from "../../shared/values/evm.ts"
import type { Redemption, RedemptionState } from "./redemption.ts"

/** Where a transfer is. */
export type Place = { readonly transactionHash: Hex; readonly logIndex: number }

/** Money that arrived by a signed payment. */
export type Paid = Place & {
  readonly key: string
  readonly payer: Address
  readonly payTo: Address
  /** Atomic units. */
  readonly value: bigint
  /** The row of the payment, read after the chain; null when the books do not have it. */
  readonly row: Redemption | null
}

/**
 * `paid_without_transfer`: paid in the books, and the chain has no such transfer.
 * `transfer_without_row`: paid by authorization on the chain, and missing in the books.
 * `transfer_without_proof`: paid on the chain; open, failed or paid elsewhere in the books.
 */
export type Difference = Place & {
  readonly kind: "paid_without_transfer" | "transfer_without_row" | "transfer_without_proof"
  readonly key: string
  readonly payer: Address
  readonly value: bigint
  readonly state: RedemptionState | null
}

export type Comparison = {
  readonly differences: readonly Difference[]
  /**
   * In atomic units: the sum of the rows with a transfer, that of the transfers by authorization, and their
   * difference.
   */
  readonly booked: bigint
  readonly arrived: bigint
  readonly difference: bigint
}

/** `rows` have evidence; those that changed since they were read are given as they are now. */
export function compare(rows: readonly Redemption[], paid: readonly Paid[]): Comparison {
  const byPlace = new Map(paid.map((each) => [placeOf(each), each]))
  const known = new Map(rows.map((row) => [row.key, row]))
  // A row that got its evidence after the rows were read counts too.
  for (const { row } of paid) if (row?.evidence) known.set(row.key, row)
  const proven = [...known.values()].filter((row) => row.evidence !== null)
  const missing = proven.filter((row) => !agrees(row, byPlace.get(placeOf(row.evidence))))
  const strange = paid.filter((each) => !agrees(each.row, each))
  const booked = sum(proven.map((row) => row.transfer.value))
  const arrived = sum(paid.map(({ value }) => value))
  return {
    differences: [...missing.map(unpaid), ...strange.map(unproven)],
    booked,
    arrived,
    difference: arrived - booked,
  }
}

function agrees(row: Redemption | null, paid: Paid | undefined): boolean {
  if (!row?.evidence || !paid || placeOf(row.evidence) !== placeOf(paid)) return false
  const { payer, payTo, value } = row.transfer
  return row.key === paid.key && payer === paid.payer && payTo === paid.payTo && value === paid.value
}

const unpaid = ({ key, state, transfer: { payer, value }, evidence }: Redemption): Difference => ({
  kind: "paid_without_transfer",
  key,
  state,
  payer,
  value,
  transactionHash: evidence?.transactionHash ?? "0x",
  logIndex: evidence?.logIndex ?? 0,
})

const unproven = ({ row, key, payer, value, transactionHash, logIndex }: Paid): Difference => ({
  kind: row ? "transfer_without_proof" : "transfer_without_row",
  key,
  state: row?.state ?? null,
  payer,
  value,
  transactionHash,
  logIndex,
})

export const differenceLine = ({ kind, key, transactionHash, value }: Difference): string =>
  `I9: ${kind} (${key}, ${transactionHash}, ${value})`

const placeOf = (place: Place | null): string => `${place?.transactionHash} ${place?.logIndex}`
const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n)
