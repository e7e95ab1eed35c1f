/** The client: a `fetch` that buys, keeps and refreshes tokens within a budget. */

import { formatMicros } from "../core/budget-rules.ts"
import type { Fetch } from "../core/call.ts"
import { createEmitter } from "../core/events.ts"
import { createApproval } from "../purchase/approval.ts"
import { createBudget } from "../purchase/budget.ts"
import { createDryRun, type DryRunCall } from "../purchase/dry-run.ts"
import { createOfferReader } from "../purchase/offers.ts"
import { createPayForCall } from "../purchase/pay-per-call.ts"
import { createPreparePayment } from "../purchase/prepare-payment.ts"
import { createPurchases } from "../purchase/purchase.ts"
import { createTopUp, type TopUp } from "../purchase/top-up.ts"
import { createRequestFreeGrant } from "../purchase/wallet-proof.ts"
import { createDerive, type Derive } from "../wallet/derive.ts"
import { createLocks } from "../wallet/locks.ts"
import { createMemoryStore } from "../wallet/memory-store.ts"
import { createFetchReceipt, type FetchReceipt } from "../wallet/receipt.ts"
import { createRefresh } from "../wallet/refresh.ts"
import { createRenewals } from "../wallet/renewal.ts"
import { createWallet, type GrantSummary } from "../wallet/wallet.ts"
import { createProvers } from "../wire/dpop.ts"
import { plainFetch } from "../wire/global-fetch.ts"
import { adaptToHost } from "../wire/host.ts"
import { createFetch } from "./fetch.ts"
import type { ClientOptions } from "./options.ts"
import { recipientOf, requirePlans, settingsOf } from "./settings.ts"

export type Client = {
  /**
   * The standard `fetch`, which pays. Answers are the service's own; refusals of the client are {@link Ticket402Error}s.
   *
   * Bodies are kept in memory (10 MiB at most) so that a request the gate refused can be made again. Redirects are
   * followed within the origin, three at most. A call that brings its own `Authorization` is passed on
   * untouched, unless the gate reads tokens from `Ticket402-Token`.
   * Aborting a call ends the waiting; a payment that is already signed is still carried to its answer for the wallet.
   */
  readonly fetch: Fetch
  /**
   * Prices a call: makes the request without a token, and returns the purchase that it would need, or the rule that would
   * refuse it. Signs nothing. A service that asks for no money handles the request.
   */
  readonly dryRun: DryRunCall
  /**
   * Pays once more for the grant that opens this URL, within the same rules and limits: for more of its own offer, or for a
   * larger one with the unused value as credit. Takes the seller's name of the offer.
   */
  readonly topUp: TopUp
  /** Returns a token with less scope, calls or time than the grant that opens this URL, for a sub-agent. */
  readonly derive: Derive
  /**
   * Fetches the signed receipt of the last payment for the grant that opens this URL, and verifies it with the seller's
   * published keys. Throws `receipt_unavailable` until the payment has settled.
   */
  readonly receipt: FetchReceipt
  /** The grants in the wallet, without tokens and secrets. */
  grants(): Promise<GrantSummary[]>
  /** Forgets the grants of this id, as `grants()` lists them; false when there are none. Nothing is paid back. */
  forget(id: string): Promise<boolean>
  /** Sums of the last 24 hours and of all time, and the rest of the day's limit, as decimals of the currency. */
  spent(): Promise<Spent>
  /** Allows payments to this origin to go to this address too. */
  approveRecipient(origin: string, payTo: string): Promise<void>
}

export type Spent = { readonly day: string; readonly left: string; readonly total: string }

/** Throws a {@link Ticket402Error} `option_invalid` that names the option. */
export function createClient(options: ClientOptions): Client {
  const { limits, policy, places, approveAbove, expectedCalls } = settingsOf(options)
  const { account, balances, delay = sleep, resendSeconds = 60, timeoutMs = 30_000 } = options
  const { now = () => Date.now() / 1000, random = randomBytes, store = createMemoryStore() } = options
  // Called as a plain function: a browser's fetch throws as a method of any object but its window.
  const given = options.fetch ?? plainFetch
  const fetch: Fetch = adaptToHost((input, init) => given(input, init))

  const wallet = createWallet(store, policy.payer, now)
  const budget = createBudget(store, limits, now)
  const approval = createApproval(options.approve, approveAbove)
  const exchangeTools = { fetch, now, random, delay, timeoutMs, resendSeconds }
  const tools = {
    ...exchangeTools,
    account,
    store,
    wallet,
    budget,
    approval,
    expectedCalls,
    withLock: createLocks({ store, ...exchangeTools }),
    provers: createProvers({ now, random }),
    emit: createEmitter(options.onEvent),
  }
  const preparePayment = createPreparePayment({ ...tools, dpop: options.dpop === true })
  const payPerCall = options.payPerCall === true
  const offerReader = createOfferReader({ ...tools, policy, places, balances, payPerCall })
  const purchases = createPurchases({ ...tools, preparePayment })
  const payForCall = createPayForCall({ ...tools, preparePayment })
  const refresh = createRefresh(tools)
  const renewals = createRenewals({ refresh, now })
  const requestFreeGrant = options.walletProof === true ? createRequestFreeGrant(tools) : undefined
  const calls = { ...tools, offerReader, purchases, payForCall, refresh, renewals, requestFreeGrant }

  return {
    fetch: withCheckedPlans(createFetch(calls)),
    dryRun: withCheckedPlans(createDryRun({ ...tools, offerReader, policy })),
    topUp: createTopUp({ ...tools, offerReader, purchases, refresh }),
    derive: createDerive({ ...tools, refresh }),
    receipt: createFetchReceipt(tools),
    grants: wallet.summaries,
    forget: wallet.forget,
    async spent() {
      const { day, total } = await budget.sumSpending({ origin: "", offer: "" })
      const left = day > limits.perDay ? 0n : limits.perDay - day
      return { day: formatMicros(day), left: formatMicros(left), total: formatMicros(total) }
    },
    async approveRecipient(origin, payTo) {
      await store.approveRecipient(origin, recipientOf(origin, payTo))
    },
  }
}

/** Checks the plans of each call, as createClient checks its options. */
function withCheckedPlans<R>(call: (...args: Parameters<Fetch>) => Promise<R>): typeof call {
  return async (input, init, plans) => {
    requirePlans(plans)
    return call(input, init, plans)
  }
}

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000)
  })
