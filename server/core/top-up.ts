/** Defines a top-up: a further payment for an existing grant, with its purpose and its gains. */
import type { Hex } from "../../shared/values/evm.ts"
import type { Grant } from "./grant.ts"

/** A further payment for a grant, as it is kept with its redemption. */
export type TopUp = {
  /** sha256 of the secret of this payment: it has one of its own. */
  readonly opening: Hex
  /** `extends` adds more of the same. `moves` changes to a larger offer, with credit for the unused share. */
  readonly kind: "extends" | "moves"
  readonly offer: {
    readonly ref: string
    readonly scope: string
    readonly durationSeconds: number
    readonly units: number | null
  }
  /** The token that comes with it; null once that was issued. */
  readonly token: { readonly jti: string; readonly seconds: number } | null
  /** Its gains; null before they are given, and after they are withdrawn. */
  readonly gave: Gave | null
}

export type Gave = {
  /** The grant before the top-up. */
  readonly before: Pick<Grant, "offer" | "scope" | "meter">
  /** By how much its end moved. */
  readonly seconds: number
  /** The growth of the remaining units; null where the grant counts none, before or after. */
  readonly units: number | null
  readonly basis: Basis
}

/** The basis for the value of the unused share of a grant. */
export type Basis = {
  /** Its value in millionths of the currency. */
  readonly value: bigint
  readonly since: number
  readonly until: number
  /** Null when it counts nothing. */
  readonly units: number | null
}
