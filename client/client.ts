/** The client: a `fetch` that buys, keeps and refreshes tokens within a budget. */
import { AmountError } from "../shared/amount.ts"
import { parseAddress } from "../shared/evm.ts"
import type { NetworkInfo } from "../shared/network.ts"
import { networks as knownNetworks } from "../shared/networks/index.ts"
import type { TypedDataSigner } from "../shared/scheme.ts"
import { createBudget, formatMicros, parseMicros } from "./budget.ts"
import { TicketError } from "./errors.ts"
import { type ClientEvent, quietly } from "./events.ts"
import { createFetch, type Fetch } from "./fetch.ts"
import { insecure, isPrivateEnough, parseUrl } from "./origins.ts"
import { createPurchases } from "./purchase.ts"
import { createRefresh } from "./refresh.ts"
import { createWallet, type GrantSummary } from "./wallet.ts"
import { createAdmissions } from "./wallet-proof.ts"

export type ClientOptions = {
  /** Who pays. A viem `LocalAccount` fits; only its address is read and only EIP-712 data is given to it to sign. */
  readonly account: TypedDataSigner
  /** Limits as decimals of the currency (US dollars), e.g. `"0.05"`; days are a sliding 24 hours. */
  readonly budget: {
    readonly perPurchase: string
    readonly perDay: string
    /** What one origin may take of `perDay`; all of it by default. */
    readonly perOriginPerDay?: string
  }
  /** CAIP-2 ids of the networks that may be paid on. */
  readonly networks: readonly string[]
  /** Token endpoints that may be paid although they are on another origin than the API: exact URLs. */
  readonly tokenEndpoints?: readonly string[]
  /** Pay and show tokens over plain http to hosts other than this machine. For closed networks only. */
  readonly allowInsecureHttp?: boolean
  /**
   * Bind what is bought to a key of its own (DPoP, RFC 9449), so that a stolen token is worth nothing; default: only where
   * an offer asks for it. The key is made for each purchase and cannot be exported.
   */
  readonly dpop?: boolean
  /**
   * The account may be on sellers' whitelists: ask each, once, for a token against a signed statement, and buy only where
   * that is refused.
   */
  readonly walletProof?: boolean
  readonly onEvent?: (event: ClientEvent) => void
  /** For one exchange with a token endpoint; 30,000 by default. */
  readonly timeoutMs?: number
  /**
   * How long one call goes on sending the same payment or refresh while answers are lost; 60 by default, and a payment
   * never past its `validBefore`. Then the call fails with `outcome_unknown`, and the next one takes the payment up.
   */
  readonly resendSeconds?: number
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since the epoch. */
  readonly now?: () => number
  /** Unpredictable bytes, of which the secrets are made. */
  readonly random?: (length: number) => Uint8Array
  readonly delay?: (seconds: number) => Promise<void>
}

export type Client = {
  /**
   * The standard `fetch`, that pays. Answers are the service's own; refusals of the client are {@link TicketError}s.
   *
   * Bodies are kept in memory (10 MiB at most) so that a request the gate refused can be made again. Redirects are
   * followed within the origin, three at most. A call that brings its own `Authorization` is passed on untouched.
   * Aborting a call ends the waiting; a payment that is already signed is still carried to its answer for the wallet.
   */
  readonly fetch: Fetch
  /** The grants held, without anything that opens a door. */
  grants(): GrantSummary[]
  /** What was signed in the last 24 hours, and what is left of the day, as decimals of the currency. */
  spent(): { readonly day: string; readonly left: string }
}

/** Throws a {@link TicketError} `option_invalid` that names the option. */
export function createClient(options: ClientOptions): Client {
  const { account, onEvent, delay = sleep, resendSeconds = 60, timeoutMs = 30_000 } = options
  const { now = () => Date.now() / 1000, random = randomBytes } = options
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const payer = parseAddress(account?.address ?? "")
  if (!payer) throw wrong("account", "no address", "an account with an address")
  const perDay = limit("perDay", options.budget?.perDay)
  const limits = {
    perDay,
    perPurchase: limit("perPurchase", options.budget?.perPurchase),
    perOriginPerDay:
      options.budget.perOriginPerDay === undefined
        ? perDay
        : limit("perOriginPerDay", options.budget.perOriginPerDay),
  }
  positive("resendSeconds", resendSeconds)
  positive("timeoutMs", timeoutMs)
  const allowInsecureHttp = options.allowInsecureHttp === true
  const places = {
    allowInsecureHttp,
    tokenEndpoints: tokenEndpoints(options.tokenEndpoints ?? [], allowInsecureHttp),
  }
  const policy = { payer, networks: allowedNetworks(options.networks), perPurchase: limits.perPurchase }

  const emit = quietly(onEvent)
  const wallet = createWallet(now)
  const budget = createBudget(limits, now)
  const tools = { fetch, now, random, delay, timeoutMs, resendSeconds, wallet, emit }
  const purchases = createPurchases({ ...tools, account, budget, dpop: options.dpop === true })
  const refresh = createRefresh(tools)
  const admit = options.walletProof === true ? createAdmissions({ ...tools, account }) : undefined
  const spentToday = (): bigint => budget.counted()

  return {
    fetch: createFetch({ fetch, now, wallet, policy, places, purchases, refresh, admit, emit }),
    grants: () => wallet.summaries(),
    spent: () => ({
      day: formatMicros(spentToday()),
      left: formatMicros(spentToday() > perDay ? 0n : perDay - spentToday()),
    }),
  }
}

function allowedNetworks(ids: readonly string[]): ReadonlyMap<string, NetworkInfo> {
  if (!Array.isArray(ids) || ids.length === 0) throw wrong("networks", "none", "CAIP-2 ids")
  return new Map(
    ids.map((id) => {
      const network = knownNetworks.get(id)
      if (!network) throw wrong("networks", String(id), [...knownNetworks.keys()].join(" or "))
      return [network.id, network]
    }),
  )
}

function tokenEndpoints(texts: readonly string[], allowInsecureHttp: boolean): ReadonlySet<string> {
  return new Set(
    texts.map((text) => {
      const url = parseUrl(text)
      if (!url) throw wrong("tokenEndpoints", text, "absolute URLs")
      if (!isPrivateEnough(url, allowInsecureHttp)) throw insecure(url)
      return url.href
    }),
  )
}

function limit(name: string, text: unknown): bigint {
  try {
    if (typeof text === "string") return parseMicros(text)
  } catch (error) {
    if (!(error instanceof AmountError)) throw error
  }
  throw wrong(`budget.${name}`, JSON.stringify(text) ?? "nothing", 'a decimal string such as "0.05"')
}

function positive(name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw wrong(name, String(value), "a positive number")
}

const wrong = (option: string, found: string, wanted: string): TicketError =>
  new TicketError("option_invalid", `The option ${option} is wrong.`, { found, wanted })

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000)
  })
