/** Defines a grant type of the token endpoint: a module with a name, its parameters and a handler. */

import type { PendingResponse, TokenResponse } from "../../shared/oauth/messages.ts"
import type { Hex, Recover } from "../../shared/values/evm.ts"
import type { SettlementResponse } from "../../shared/x402/messages.ts"
import type { ClockSkew } from "../core/clock-skew.ts"
import type { ExposureLimits } from "../core/exposure.ts"
import type { TokenLives } from "../core/grant.ts"
import type { GatedRoute, OfferBoard } from "../core/offers.ts"
import type { BeforeSale } from "../core/sale.ts"
import type { AssetWatch } from "../feeds/asset-watch.ts"
import type { Funding } from "../feeds/gas-funding.ts"
import type { Whitelist } from "../feeds/whitelist-feed.ts"
import type { Chain } from "../ports/chain.ts"
import type { Keys } from "../ports/keys.ts"
import type { Logger, Now, Random, Rate } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"
import type { FindTransfer } from "./payment/transfer-search.ts"
import type { Waits } from "./settlement-waits.ts"

/** Boundaries at which the process may die before an answer is out; each is passed once for every token. */
export const intakeSteps = ["payment-checked", "payment-redeemed", "refresh-rotated", "token-signed"] as const
export type IntakeStep = (typeof intakeSteps)[number]

export type TokenDeps = {
  readonly store: Store
  readonly keys: Keys
  readonly board: OfferBoard
  readonly whitelist: Whitelist
  /** By CAIP-2 id. */
  readonly chains: ReadonlyMap<string, Chain>
  /**
   * The same chains with a small budget of their own, for payments without a key's signature: anybody can invent
   * those.
   */
  readonly contracts: ReadonlyMap<string, Chain>
  /** Finds the transfer of a payment that is on the chain already. */
  readonly findTransfer: FindTransfer
  readonly funding: ReadonlyMap<string, Funding>
  readonly assets: Pick<AssetWatch, "check" | "look">
  readonly now: Now
  readonly random: Random
  readonly recover: Recover
  /** Payments by payer. */
  readonly payers: Rate
  /** How far this server's clock is from the chain's. */
  readonly clockSkew: () => ClockSkew
  /** Waits of buyers whose payment is settled first. */
  readonly waits: Waits
  readonly log: Logger
  /** A payment was accepted: the worker need not wait for its next poll. */
  readonly onRedeemed: () => void
  /** A grant ended: the gate need not wait for its next poll. */
  readonly onEnded: () => void
  readonly onStep?: (step: IntakeStep) => void
  /** The seller's own check before a sale. */
  readonly beforeSale?: BeforeSale
}

export type TokenOptions = {
  readonly issuer: string
  /** The audience of tokens where a request names none. */
  readonly resource: string
  /** Every audience for which tokens are sold, `resource` included. */
  readonly resources: readonly string[]
  /** Status endpoint for a buyer with a pending payment. */
  readonly statusEndpoint: string
  readonly lives: TokenLives
  /** CAIP-2 id of the first network. */
  readonly network: string
  readonly limits: ExposureLimits
}

/** A request to the token endpoint, read but not judged. */
export type TokenRequest = {
  readonly grantType: string
  readonly parameters: ReadonlyMap<string, unknown>
  /** The audience that the request names (RFC 8707), one of `TokenOptions.resources`. */
  readonly resource: string | undefined
  /** The Authorization header. */
  readonly authorization: string | undefined
  /** sha256 of a secret, shown with a purchase. */
  readonly commitment: Hex | undefined
  /** The secret itself, shown with a retry. */
  readonly secret: Hex | undefined
  readonly idempotencyKey: string | undefined
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
  /** The peer's name in the request counters. */
  readonly peer: string
  /** Thumbprint of the key that the request proved to have (RFC 9449); tokens issued for it are bound to that key. */
  readonly keyThumbprint: string | null
  /**
   * Uses up the proof of that possession, if there is one, once a request. Called before the effect, and only when the
   * caller's token, secret or payment was found genuine. Throws a Refusal for a proof that was used before.
   */
  readonly claimProof: (unbound?: UnboundGrant) => Promise<void>
  /** The route that received the payment: the purchase must open it. */
  readonly gatedRoute?: GatedRoute | undefined
}

/** A grant without a key. Its holder can prove any number of keys, so the proofs are counted by grant as well. */
export type UnboundGrant = { readonly grantId: string }

export type TokenAnswer = IssuedAnswer | PendingAnswer

/** The payment is accepted, and the token follows when it settles: 202. */
export type PendingAnswer = { readonly kind: "pending"; readonly body: PendingResponse }

export type IssuedAnswer = {
  readonly kind: "issued"
  readonly body: TokenResponse
  /** The answer repeats an earlier one. */
  readonly replayed: boolean
  /** Present only when the payment has settled. */
  readonly settlement: SettlementResponse | undefined
}

/** An answer, with the nonce that the client's next proof needs. */
export type TokenEndpointAnswer = TokenAnswer & { readonly freshNonce: string | undefined }

export type GrantType = {
  readonly grantType: string
  /** The parameters it reads; others change nothing. */
  readonly parameters: readonly string[]
  handle(request: TokenRequest, deps: TokenDeps, options: TokenOptions): Promise<TokenAnswer>
}
