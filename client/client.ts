/** The client: a `fetch` that buys, keeps and refreshes tokens within a budget. */
import { AmountError } from "../shared/amount.ts"
import { parseAddress } from "../shared/evm.ts"
import type { NetworkInfo } from "../shared/network.ts"
import { networks as knownNetworks } from "../shared/networks/index.ts"
import type { TypedDataSigner } from "../shared/scheme.ts"
import { createBudget, formatMicros, parseMicros } from "./budget.ts"
import { createClaims } from "./claims.ts"
import { createProvers } from "./dpop.ts"
import { TicketError } from "./errors.ts"
import { type ClientEvent, quietly } from "./events.ts"
import { createFetch, type Fetch } from "./fetch.ts"
import { createMemoryStore } from "./memory-store.ts"
import { insecure, isPrivateEnough, parseUrl } from "./origins.ts"
import { createPurchases } from "./purchase.ts"
import { createRefresh } from "./refresh.ts"
import type { ClientStore, Limits } from "./store.ts"
import { createWallet, type GrantSummary } from "./wallet.ts"
import { createAdmissions } from "./wallet-proof.ts"

/** A billion dollars: who writes more has mistaken the unit. */
const mostMicros = parseMicros("1000000000")

export type ClientOptions = {
  /** Who pays. A viem `LocalAccount` fits; only its address is read and only EIP-712 data is given to it to sign. */
  readonly account: TypedDataSigner
  /**
   * Limits as decimals of the currency (US dollars), e.g. `"0.05"`, of everything that is signed; days are a sliding 24
   * hours. All clients of a store share them.
   */
  readonly budget: {
    readonly perPurchase: string
    readonly perDay: string
    /** What one origin may take of `perDay`; all of it by default. */
    readonly perOriginPerDay?: string
    /** What one origin may take in all. */
    readonly perOrigin?: string
    /** What may be spent on one offer of an origin in all. An origin names its offers as it likes. */
    readonly perOffer?: string
    /** What may be spent in all. */
    readonly total?: string
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
  /**
   * Where grants, spendings, signed payments and known recipients are kept; in memory by default. The one of
   * `ticket402/client/node` is a file, which outlives the process and is shared by others.
   */
  readonly store?: ClientStore
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
  grants(): Promise<GrantSummary[]>
  /** Forgets the grants of this id, as `grants()` lists them; false when there are none. Nothing is paid back. */
  forget(id: string): Promise<boolean>
  /** What was signed in the last 24 hours and of all time, and what is left of the day, as decimals of the currency. */
  spent(): Promise<Spent>
  /** Payments to this origin may from now on go to this address too. */
  approveRecipient(origin: string, payTo: string): Promise<void>
}

export type Spent = { readonly day: string; readonly left: string; readonly total: string }

/** Throws a {@link TicketError} `option_invalid` that names the option. */
export function createClient(options: ClientOptions): Client {
  const { account, onEvent, delay = sleep, resendSeconds = 60, timeoutMs = 30_000 } = options
  const { now = () => Date.now() / 1000, random = randomBytes } = options
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const payer = parseAddress(account?.address ?? "")
  if (!payer) throw wrong("account", "no address", "an account with an address")
  const limits = limitsOf(options.budget)
  positive("resendSeconds", resendSeconds)
  positive("timeoutMs", timeoutMs)
  const allowInsecureHttp = options.allowInsecureHttp === true
  const places = {
    allowInsecureHttp,
    tokenEndpoints: tokenEndpoints(options.tokenEndpoints ?? [], allowInsecureHttp),
  }
  const policy = { payer, networks: allowedNetworks(options.networks), perPurchase: limits.perPurchase }

  const emit = quietly(onEvent)
  const { store = createMemoryStore() } = options
  const wallet = createWallet(store, payer, now)
  const budget = createBudget(store, limits, now)
  const office = { fetch, now, random, delay, timeoutMs, resendSeconds }
  const tools = {
    ...office,
    account,
    store,
    wallet,
    budget,
    exclusively: createClaims({ store, ...office }),
    provers: createProvers({ now, random }),
    emit,
  }
  const purchases = createPurchases({ ...tools, dpop: options.dpop === true })
  const refresh = createRefresh(tools)
  const admit = options.walletProof === true ? createAdmissions(tools) : undefined

  return {
    fetch: createFetch({ ...tools, policy, places, purchases, refresh, admit }),
    grants: wallet.summaries,
    forget: wallet.forget,
    async spent() {
      const { day, total } = await budget.spent()
      const left = day > limits.perDay ? 0n : limits.perDay - day
      return { day: formatMicros(day), left: formatMicros(left), total: formatMicros(total) }
    },
    async approveRecipient(origin, payTo) {
      const address = parseAddress(payTo)
      const url = parseUrl(origin)
      if (!address || url?.origin !== origin)
        throw wrong("recipient", `${origin} ${payTo}`, "an origin and an address")
      await store.approveRecipient(origin, address)
    },
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

function limitsOf(budget: ClientOptions["budget"]): Limits {
  const optional = (name: Exclude<keyof Limits, "perPurchase" | "perDay">): bigint | undefined =>
    budget[name] === undefined ? undefined : limit(name, budget[name])
  return {
    perPurchase: limit("perPurchase", budget?.perPurchase),
    perDay: limit("perDay", budget?.perDay),
    perOriginPerDay: optional("perOriginPerDay"),
    perOrigin: optional("perOrigin"),
    perOffer: optional("perOffer"),
    total: optional("total"),
  }
}

function limit(name: string, text: unknown): bigint {
  try {
    const micros = typeof text === "string" ? parseMicros(text) : undefined
    if (micros !== undefined && micros <= mostMicros) return micros
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
