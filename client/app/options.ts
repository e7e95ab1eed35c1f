/** Defines the options of the client; their comments make the table in docs/agents.md. */
import type { TypedDataSigner } from "../../shared/schemes/scheme.ts"
import type { Balances } from "../core/balances.ts"
import type { ClientEvent } from "../core/events.ts"
import type { Approve } from "../purchase/approval.ts"
import type { ClientStore } from "../wallet/store.ts"

export type ClientOptions = {
  /**
   * The account that pays: a viem `LocalAccount`, or the result of `createProviderSigner` or `createRemoteSigner`. The
   * client reads its address and lets it sign EIP-712 data, nothing else.
   */
  readonly account: TypedDataSigner
  /**
   * Limits as decimals of the currency (US dollars), e.g. `"0.05"`. Every signature counts. A day is the last 24 hours.
   * All clients of a store share the limits.
   */
  readonly budget: {
    /** The highest price of one purchase. */
    readonly perPurchase: string
    /** The most that is spent in 24 hours. */
    readonly perDay: string
    /** The most that one origin gets of `perDay`; all of it by default. */
    readonly perOriginPerDay?: string
    /** The most that one origin gets in total. */
    readonly perOrigin?: string
    /** The most that is spent on one offer of an origin in total. An origin chooses the names of its offers. */
    readonly perOffer?: string
    /** The most that is spent in total. */
    readonly total?: string
    /** A higher price needs the consent of `approve`; `"0"` by default where `approve` is given. */
    readonly approveAbove?: string
  }
  /** The networks on which the account may pay, by name (`"base"`, `"sepolia"`) or CAIP-2 id. */
  readonly networks: readonly string[]
  /** Further restrictions; an absent list restricts nothing. */
  readonly allow?: {
    /** Origins such as `https://api.example.com`. */
    readonly origins?: readonly string[]
    /** Symbols such as `USDC`. */
    readonly assets?: readonly string[]
    /** Addresses that may be paid. Without the list, an origin is paid at its first address only. */
    readonly recipients?: readonly string[]
  }
  /**
   * Asks for consent before a signature: for a price above `budget.approveAbove`, and for a seller with a new address.
   * Without this option a new address is refused. Any answer but `true` refuses the purchase.
   */
  readonly approve?: Approve
  /** The planned number of such calls, for the choice between single calls and passes; 1 by default. */
  readonly expectedCalls?: number
  /**
   * Returns the balances of the account. The client prefers networks and assets with enough money, and asks only where
   * it has a choice. The client itself calls no node.
   */
  readonly balances?: Balances
  /**
   * Also pay plain x402 servers (v2 and v1), which sell no tokens: one payment for each call, within the same rules and
   * budget. Off by default; the caller then gets their 402.
   */
  readonly payPerCall?: boolean
  /** Exact URLs of token endpoints on other origins than their API that may be paid. */
  readonly tokenEndpoints?: readonly string[]
  /** Send payments and tokens over plain http to hosts other than this machine. For closed networks only. */
  readonly allowInsecureHttp?: boolean
  /**
   * Bind each purchase to a key of its own (DPoP, RFC 9449), so that a stolen token is useless. By default only offers
   * that require it are bound. The key cannot be exported; a file store keeps it in its file.
   */
  readonly dpop?: boolean
  /**
   * Ask each seller once for a free token against a signed statement, because the account may be on its whitelist. Buy
   * only where that is refused.
   */
  readonly walletProof?: boolean
  /**
   * Keeps grants, spendings, signed payments and known recipients; in memory by default. `ticket402/client/node` has a
   * store in a file, which outlives the process and which several processes share.
   */
  readonly store?: ClientStore
  /**
   * Called with each event: `purchase_started`, `purchased`, `called`, `refreshed`, `resent`, `waiting`, `not_accepted`,
   * `refused`, `ignored`.
   */
  readonly onEvent?: (event: ClientEvent) => void
  /** The most milliseconds for one exchange with a token endpoint, and for reading one 402; 30,000 by default. */
  readonly timeoutMs?: number
  /**
   * Seconds for which one call sends the same payment or refresh again while answers are lost; 60 by default, and never
   * past the payment's `validBefore`. Then the call fails with `outcome_unknown`, and the next call continues the payment.
   */
  readonly resendSeconds?: number
  /** Makes the requests; the global `fetch` by default. */
  readonly fetch?: typeof globalThis.fetch
  /** The clock, in seconds since the epoch. */
  readonly now?: () => number
  /** Returns unpredictable bytes, from which the secrets are made. */
  readonly random?: (length: number) => Uint8Array
  /** Waits for a number of seconds. */
  readonly delay?: (seconds: number) => Promise<void>
}
