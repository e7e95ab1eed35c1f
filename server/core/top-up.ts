/** A further payment for a grant that is there: what it was for, and what it gave. */
import type { Hex } from "../../shared/values/evm.ts"
import type { Grant } from "./grant.ts"

/** A further payment for a grant, as it is kept with its redemption. */
export type TopUp = {
  /** sha256 of the secret of this payment: it has one of its own. */
  readonly opening: Hex
  /** `extends`: more of the same. `moves`: to a larger offer, with credit for what is unused. */
  readonly kind: "extends" | "moves"
  readonly offer: {
    readonly ref: string
    readonly scope: string
    readonly durationSeconds: number
    readonly units: number | null
  }
  /** The token that comes with it; null once that was issued. */
  readonly token: { readonly jti: string; readonly seconds: number } | null
  /** What it gave; null before its time, and after it was taken back. */
  readonly gave: Gave | null
}

export type Gave = {
  /** What the grant was. */
  readonly before: Pick<Grant, "offer" | "scope" | "meter">
  /** By how much its end moved. */
  readonly seconds: number
  /** By how much what is left grew; null where it counted nothing before, or does not since. */
  readonly units: number | null
  readonly basis: Basis
}

/** What a grant's unused part is reckoned from. */
export type Basis = {
  /** What is in it, in millionths of the currency. */
  readonly value: bigint
  readonly since: number
  readonly until: number
  /** Null when it counts nothing. */
  readonly units: number | null
}
