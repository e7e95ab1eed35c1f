/** One call under way, and the parts that its steps use. */
import type { TokenHeader } from "../../shared/token-header.ts"
import type { Outcome } from "../core/call-state.ts"
import type { Challenge } from "../core/challenge.ts"
import type { ClientEvent } from "../core/events.ts"
import type { OfferReader, Offers } from "../purchase/offers.ts"
import type { PayForCall } from "../purchase/pay-per-call.ts"
import type { Purchases } from "../purchase/purchase.ts"
import type { RequestFreeGrant } from "../purchase/wallet-proof.ts"
import type { Refresh } from "../wallet/refresh.ts"
import type { Renewals } from "../wallet/renewal.ts"
import type { ClientStore, Grant } from "../wallet/store.ts"
import type { Wallet } from "../wallet/wallet.ts"
import type { Provers } from "../wire/dpop.ts"
import type { PlainChallenge } from "../wire/plain-x402.ts"
import type { FollowRedirect, RepeatableRequest } from "../wire/request.ts"

export type CallStepDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly now: () => number
  readonly delay: (seconds: number) => Promise<void>
  readonly store: ClientStore
  readonly wallet: Wallet
  readonly provers: Provers
  readonly offerReader: OfferReader
  readonly purchases: Purchases
  readonly payForCall: PayForCall
  readonly refresh: Refresh
  readonly renewals: Renewals
  /** Absent for an account that no seller has whitelisted. */
  readonly requestFreeGrant: RequestFreeGrant | undefined
  readonly emit: (event: ClientEvent) => void
}

/** One call under way. */
export type Call = {
  /** The present hop of a redirect chain: a repetition never starts the chain anew (CLI-17). */
  request: RepeatableRequest
  grant: Grant | undefined
  response?: Response
  /** The header in which the last request showed its token. */
  shownIn?: TokenHeader | undefined
  /** The token was moved to the header that a 402 named. */
  isMoved?: true
  /** Of the last 402. */
  challenge?: Challenge | PlainChallenge
  /** The same, at a place that may be paid. */
  offers?: Offers
  /** The error of the last purchase. */
  error?: unknown
  /** How far the issue time of a refused token is ahead of the gate's clock. */
  secondsAhead: number
  readonly followRedirect: FollowRedirect
  readonly expectedCalls: number
  /** When the call began, on the counter of {@link Purchases.tick}. */
  readonly since: number
  /** Keys of the grants that a 402 of this call refused. */
  readonly unsuitable: Set<string>
}

export function use(call: Call, grant: Grant | undefined, { renewals }: CallStepDeps): Outcome {
  call.grant = grant
  return grant ? { kind: "granted", token: renewals.ageOf(grant) } : { kind: "ended" }
}

/** A step that comes out of order is a defect of call-state.ts. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a step of a call came out of order")
  return value
}
