/** The options of the client. */
import type { TypedDataSigner } from "../../shared/schemes/scheme.ts"
import type { Balances } from "../core/balances.ts"
import type { ClientEvent } from "../core/events.ts"
import type { Approve } from "../purchase/approval.ts"
import type { ClientStore } from "../wallet/store.ts"

export type ClientOptions = {
  /**
   * Who pays. A viem `LocalAccount` fits, and what `createProviderSigner` and `createRemoteSigner` make; only its address
   * is read, and only EIP-712 data is given to it to sign.
   */
  readonly account: TypedDataSigner
  /**
   * Limits as decimals of the currency (US dollars), e.g. `"0.05"`, of everything that is signed; days are a sliding 24
   * hours. All clients of a store share them.
   */
  readonly budget: {
    /** What one purchase may cost. */
    readonly perPurchase: string
    /** What may be spent in 24 hours. */
    readonly perDay: string
    /** What one origin may take of `perDay`; all of it by default. */
    readonly perOriginPerDay?: string
    /** What one origin may take in all. */
    readonly perOrigin?: string
    /** What may be spent on one offer of an origin in all. An origin names its offers as it likes. */
    readonly perOffer?: string
    /** What may be spent in all. */
    readonly total?: string
    /** What is dearer needs the word of `approve`; `"0"` where that is given. */
    readonly approveAbove?: string
  }
  /** CAIP-2 ids of the networks that may be paid on. */
  readonly networks: readonly string[]
  /** What else may be bought; what is not named is not restricted. */
  readonly allow?: {
    /** Origins such as `https://api.example.com`. */
    readonly origins?: readonly string[]
    /** Symbols such as `USDC`. */
    readonly assets?: readonly string[]
    /** Addresses that may be paid. Without the list an origin is paid where it was paid first. */
    readonly recipients?: readonly string[]
  }
  /**
   * Asks somebody, before anything is signed: about a price above `budget.approveAbove`, and about a seller who was paid
   * at another address before, which without this is refused. Anything but `true` refuses the purchase.
   */
  readonly approve?: Approve
  /** How many calls like one are to come, for the choice between single calls and passes; 1 by default. */
  readonly expectedCalls?: number
  /**
   * What the account has: networks and assets with enough are preferred. Asked only where there is a choice. The client
   * talks to no node itself.
   */
  readonly balances?: Balances
  /**
   * Pay plain x402 servers too, v2 and v1, which sell no tokens: one payment for each call, within the same rules and
   * budget. Off by default; their 402s are then the caller's.
   */
  readonly payPerCall?: boolean
  /** Token endpoints that may be paid although they are on another origin than the API: exact URLs. */
  readonly tokenEndpoints?: readonly string[]
  /** Pay and show tokens over plain http to hosts other than this machine. For closed networks only. */
  readonly allowInsecureHttp?: boolean
  /**
   * Bind what is bought to a key of its own (DPoP, RFC 9449), so that a stolen token is worth nothing; default: only where
   * an offer asks for it. The key cannot be exported, unless the store is a file: then it is in that.
   */
  readonly dpop?: boolean
  /**
   * The account may be on sellers' whitelists: ask each, once, for a token against a signed statement, and buy only where
   * that is refused.
   */
  readonly walletProof?: boolean
  /**
   * Where grants, spendings, signed payments and known recipients are kept; in memory by default. The one of
   * `ticket402/client/node` is a file, which outlives the process and is shared by others.
   */
  readonly store?: ClientStore
  /** Is told what the client does: `purchase_started`, `purchased`, `called`, `refreshed`, `resent`, `refused`, `ignored`. */
  readonly onEvent?: (event: ClientEvent) => void
  /** Milliseconds for one exchange with a token endpoint, and for reading one 402; 30,000 by default. */
  readonly timeoutMs?: number
  /**
   * How long one call goes on sending the same payment or refresh while answers are lost; 60 by default, and a payment
   * never past its `validBefore`. Then the call fails with `outcome_unknown`, and the next one takes the payment up.
   */
  readonly resendSeconds?: number
  /** What requests are made with; the global `fetch` by default. */
  readonly fetch?: typeof globalThis.fetch
  /** The clock, in seconds since the epoch. */
  readonly now?: () => number
  /** Unpredictable bytes, of which the secrets are made. */
  readonly random?: (length: number) => Uint8Array
  /** Waits so many seconds. */
  readonly delay?: (seconds: number) => Promise<void>
}
