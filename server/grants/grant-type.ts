/** What a grant type of the token endpoint is: one module with a name, its parameters and a handler. */
import type { Hex, Recover } from "../../shared/evm.ts"
import type { TokenResponse } from "../../shared/oauth.ts"
import type { SettlementResponse } from "../../shared/x402.ts"
import type { TokenLives } from "../core/grant.ts"
import type { OfferBoard } from "../core/offers.ts"
import type { Funding } from "../funding.ts"
import type { Chain, ExposureLimits, Keys, Logger, Now, Random, Rate, Store } from "../ports.ts"
import type { Whitelist } from "../whitelist.ts"

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
  readonly funding: ReadonlyMap<string, Funding>
  readonly now: Now
  readonly random: Random
  readonly recover: Recover
  /** Payments by payer. */
  readonly payers: Rate
  readonly log: Logger
  /** A payment was accepted: the worker need not wait for its next poll. */
  readonly onRedeemed: () => void
  /** A grant ended: the gate need not wait for its next poll. */
  readonly onEnded: () => void
  readonly onStep?: (step: IntakeStep) => void
}

export type TokenOptions = {
  readonly issuer: string
  readonly resource: string
  readonly lives: TokenLives
  readonly limits: ExposureLimits
}

/** A request to the token endpoint, read but not judged. */
export type TokenRequest = {
  readonly grantType: string
  readonly parameters: ReadonlyMap<string, unknown>
  /** The Authorization header. */
  readonly authorization: string | undefined
  /** sha256 of a secret, shown with a purchase. */
  readonly commitment: Hex | undefined
  /** The secret itself, shown with a retry. */
  readonly secret: Hex | undefined
  readonly idempotencyKey: string | undefined
}

export type TokenAnswer = {
  readonly body: TokenResponse
  /** The answer repeats an earlier one. */
  readonly replayed: boolean
  /** Present only when the money is in. */
  readonly settlement: SettlementResponse | undefined
}

export type GrantType = {
  readonly grantType: string
  /** The parameters it reads; others change nothing. */
  readonly parameters: readonly string[]
  handle(request: TokenRequest, deps: TokenDeps, options: TokenOptions): Promise<TokenAnswer>
}
