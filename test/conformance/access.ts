/** The access to the service under test that its owner gives to the run: accounts, clients and keys. */

import type { Account } from "../support/payments.ts"
import type { ProofKey } from "../support/proofs.ts"
import type { Purchase } from "../support/service.ts"
import type { ServiceKey } from "./forgery.ts"
import type { Answer } from "./http.ts"

export type Credentials = { readonly id: string; readonly secret: string }

/** The access that the owner gives; a rule without the access that it needs is not run. */
export type Access = {
  /** The service's public URL, which is its issuer. */
  readonly url: string
  /** Path of a gated GET route, below the service's origin. */
  readonly route?: string | undefined
  readonly payer?: Payer | undefined
  readonly client?: Credentials | undefined
  readonly introspection?: Credentials | undefined
  /** The key that signs the service's tokens; it makes tokens with exactly one error. */
  readonly key?: ServiceKey | undefined
}

export type Payer = {
  readonly account: Account
  /** CAIP-2 id of the network on which the payer pays. */
  readonly network: string
  /** Highest price of one purchase, a decimal string of the currency. */
  readonly most: string
}

/** A token answer of the service, and the payment for it. */
export type Sale = {
  readonly answer: Answer
  readonly token: string
  readonly refreshToken: string
  readonly scope: string
  /** Absent for a token without payment. */
  readonly purchase?: Purchase
}

/** A token that is bound to a key. */
export type Bound = Pick<Sale, "token" | "refreshToken" | "answer"> & { readonly key: ProofKey }
