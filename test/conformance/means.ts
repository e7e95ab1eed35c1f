/** What the looker has been given, and what it has got for it. */

import type { Account } from "../support/payments.ts"
import type { ProofKey } from "../support/proofs.ts"
import type { Purchase } from "../support/service.ts"
import type { ServiceKey } from "./forgery.ts"
import type { Answer } from "./wire.ts"

export type Credentials = { readonly id: string; readonly secret: string }

/** What the looker has been given; rules that need what is missing are not run. */
export type Means = {
  /** The service's public URL, which is its issuer. */
  readonly url: string
  /** Path of a gated GET route, below the service's origin. */
  readonly route?: string | undefined
  readonly payer?: Payer | undefined
  readonly client?: Credentials | undefined
  readonly introspection?: Credentials | undefined
  /** The key that signs the service's tokens, to make tokens that are wrong in one thing only. */
  readonly key?: ServiceKey | undefined
}

export type Payer = {
  readonly account: Account
  /** CAIP-2 id of the one network that is paid on. */
  readonly network: string
  /** What one purchase may cost, a decimal string of the currency. */
  readonly most: string
}

/** A token answer of the service, and what it was given for. */
export type Sale = {
  readonly answer: Answer
  readonly token: string
  readonly refreshToken: string
  readonly scope: string
  /** Absent where nothing was paid. */
  readonly purchase?: Purchase
}

/** A grant that is bound to a key. */
export type Bound = { readonly key: ProofKey; readonly token: string; readonly answer: Answer }
