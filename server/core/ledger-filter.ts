/** Selects entries of the ledger, and names a place in it that survives restarts. */
import type { LedgerKind } from "./ledger-facts.ts"
import type { RedemptionState } from "./redemption.ts"

/** Every member that is given must hold. */
export type LedgerFilter = {
  readonly kinds?: readonly LedgerKind[]
  /** The present state of the payment that the entry is about. */
  readonly state?: RedemptionState
  /** CAIP-2. */
  readonly network?: string
  /** Lower-case address. */
  readonly asset?: string
  /** The id of an offer, or its reference. */
  readonly offer?: string
  /** Lower-case address. */
  readonly payer?: string
  readonly grant?: string
  /** Seconds; from the first inclusive to the second exclusive. */
  readonly from?: number
  readonly to?: number
}

/** An entry as a reader has seen it last; the generation tells restored books from those that went on. */
export type LedgerPlace = { readonly generation: string; readonly sequence: number }

/** `<generation>-<sequence>`: the id of an event. */
export const placeText = ({ generation, sequence }: LedgerPlace): string => `${generation}-${sequence}`

/** Undefined for a text that no service wrote. */
export function parsePlace(text: string): LedgerPlace | undefined {
  const [, generation = "", sequence = ""] = /^([0-9a-f]{32})-(0|[1-9][0-9]{0,14})$/.exec(text) ?? []
  return generation === "" ? undefined : { generation, sequence: Number(sequence) }
}
