/** The client: a `fetch` that buys, keeps and refreshes tokens within a budget. */

import { formatMicros } from "../core/budget-rules.ts"
import type { Fetch } from "../core/call.ts"
import { quietly } from "../core/events.ts"
import { createApproval } from "../purchase/approval.ts"
import { createBook } from "../purchase/booking.ts"
import { createBudget } from "../purchase/budget.ts"
import { createDryRun, type DryRunCall } from "../purchase/dry-run.ts"
import { createPayForCall } from "../purchase/pay-per-call.ts"
import { createPurchases } from "../purchase/purchase.ts"
import { createSales } from "../purchase/sale.ts"
import { createTopUp, type TopUp } from "../purchase/top-up.ts"
import { createAdmissions } from "../purchase/wallet-proof.ts"
import { createDerive, type Derive } from "../wallet/derive.ts"
import { createLocks } from "../wallet/locks.ts"
import { createMemoryStore } from "../wallet/memory-store.ts"
import { createRefresh } from "../wallet/refresh.ts"
import { createWallet, type GrantSummary } from "../wallet/wallet.ts"
import { createProvers } from "../wire/dpop.ts"
import { plainFetch } from "../wire/global-fetch.ts"
import { createFetch } from "./fetch.ts"
import type { ClientOptions } from "./options.ts"
import { recipientOf, requireCount, settingsOf } from "./settings.ts"

export type Client = {
  /**
   * The standard `fetch`, that pays. Answers are the service's own; refusals of the client are {@link Ticket402Error}s.
   *
   * Bodies are kept in memory (10 MiB at most) so that a request the gate refused can be made again. Redirects are
   * followed within the origin, three at most. A call that brings its own `Authorization` is passed on untouched.
   * Aborting a call ends the waiting; a payment that is already signed is still carried to its answer for the wallet.
   */
  readonly fetch: Fetch
  /**
   * Prices a call: makes the request without a token, and says what would be bought, or which rule would refuse it.
   * Nothing is signed. What the service does not sell, it does: then the call has been made.
   */
  readonly dryRun: DryRunCall
  /**
   * Pays once more for the grant that opens this URL, within the same rules and limits: more of its own offer, or a larger
   * one that it moves to with its unused value as credit. The offer is named as the seller names it.
   */
  readonly topUp: TopUp
  /** A token with less scope, calls or time than the grant that opens this URL, to be handed to a sub-agent. */
  readonly derive: Derive
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

/** Throws a {@link Ticket402Error} `option_invalid` that names the option. */
export function createClient(options: ClientOptions): Client {
  const { limits, policy, places, approveAbove, expectedCalls } = settingsOf(options)
  const { account, balances, delay = sleep, resendSeconds = 60, timeoutMs = 30_000 } = options
  const { now = () => Date.now() / 1000, random = randomBytes, store = createMemoryStore() } = options
  // Called on its own: a browser's fetch refuses to be a method of anything else than its window.
  const given = options.fetch ?? plainFetch
  const fetch: Fetch = (input, init) => given(input, init)

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
    exclusively: createLocks({ store, ...exchangeTools }),
    provers: createProvers({ now, random }),
    emit: quietly(options.onEvent),
  }
  const book = createBook({ ...tools, dpop: options.dpop === true })
  const sales = createSales({ ...tools, policy, places, balances, payPerCall: options.payPerCall === true })
  const purchases = createPurchases({ ...tools, book })
  const payForCall = createPayForCall({ ...tools, book })
  const refresh = createRefresh(tools)
  const admit = options.walletProof === true ? createAdmissions(tools) : undefined

  return {
    fetch: checked(createFetch({ ...tools, sales, purchases, payForCall, refresh, admit })),
    dryRun: checked(createDryRun({ ...tools, sales, policy })),
    topUp: createTopUp({ ...tools, sales, purchases, refresh }),
    derive: createDerive({ ...tools, refresh }),
    grants: wallet.summaries,
    forget: wallet.forget,
    async spent() {
      const { day, total } = await budget.counted({ origin: "", offer: "" })
      const left = day > limits.perDay ? 0n : limits.perDay - day
      return { day: formatMicros(day), left: formatMicros(left), total: formatMicros(total) }
    },
    async approveRecipient(origin, payTo) {
      await store.approveRecipient(origin, recipientOf(origin, payTo))
    },
  }
}

/** A wrong wish of a call is an error of its writer, like a wrong option. */
function checked<R>(call: (...args: Parameters<Fetch>) => Promise<R>): typeof call {
  return async (input, init, plans) => {
    if (plans?.expectedCalls !== undefined) requireCount(plans.expectedCalls)
    return call(input, init, plans)
  }
}

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000)
  })
