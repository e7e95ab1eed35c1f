/** The errors of the client: a stable code for programs, and a sentence that is safe to log. */
import { type NextAction, printable } from "../../shared/refusals.ts"

/** Rules of the payer's own policy: broken before anything was signed, so nothing was sent. */
export type PolicyRule =
  | "entry_malformed"
  | "scheme_unknown"
  | "network_not_allowed"
  | "asset_unknown"
  | "asset_not_allowed"
  | "transfer_method_unknown"
  | "payment_flow_unknown"
  | "offer_unlisted"
  /** It holds fewer units than this call takes. */
  | "offer_too_small"
  | "domain_mismatch"
  | "pay_to_invalid"
  | "amount_zero"
  | "nothing_on_offer"
  | "insecure_url"
  | "foreign_challenge"
  | "token_endpoint_foreign"
  | "resource_foreign"
  | "origin_not_allowed"
  | "recipient_not_allowed"
  /** The seller has been paid at another address before, and nobody has approved this one. */
  | "recipient_changed"
  /** The person asked did not approve. */
  | "approval_denied"
  /** A payment at this origin gave no access, so no other is made until its grant ends or the buyer forgets it. */
  | "paid_without_access"

/** Limits in money: broken before anything was signed, so nothing was sent. */
export type BudgetRule =
  | "amount_over_limit"
  | "day_budget_spent"
  /** `perOriginPerDay` */
  | "origin_budget_spent"
  /** `perOrigin`, `perOffer` and `total`: of all time. */
  | "origin_total_spent"
  | "offer_total_spent"
  | "total_spent"

export type Ticket402ErrorCode =
  | PolicyRule
  | BudgetRule
  /** A wrong argument of createClient. */
  | "option_invalid"
  | "body_too_large"
  /** A redirect to another origin, which could carry a token or a payment there. */
  | "redirect_origin"
  | "redirect_limit"
  /** The caller asked for `redirect: "error"`. */
  | "redirect_refused"
  /** A 402 or an answer of the token endpoint that is not what it claims to be, or is too large. */
  | "challenge_malformed"
  | "answer_malformed"
  /** The token endpoint answered a payment with a redirect. It was not followed. */
  | "answer_redirected"
  /** The token endpoint asked for money in answer to a payment. It was not paid again. */
  | "asked_to_pay_again"
  /** 409: the payment belongs to somebody else, or the proof of owning it was not accepted. */
  | "payment_conflict"
  | "signing_failed"
  /** `fetch` threw at once, so the payment did not leave this machine. It is undone and does not count. */
  | "not_sent"
  /** While the account was signing, another process took the purchase over. Nothing was sent. */
  | "purchase_overtaken"
  /** The price held until before it was this purchase's turn, twice. Nothing was signed. */
  | "price_expired"
  /** What the client remembers cannot be read or written. Nothing that was not written down was sent. */
  | "store_unavailable"
  | "purchase_refused"
  /** The service settles the payment before it gives the token. The payment is kept, and the next call asks for it first. */
  | "settlement_pending"
  /** A signed payment has no answer yet. It is kept, and the next call sends the same one first. */
  | "outcome_unknown"
  /** What was to be checked is no receipt of that issuer, or not signed with one of those keys. */
  | "receipt_invalid"
  /** The service gives no receipt, or not yet. */
  | "receipt_unavailable"
  /** Nothing in the wallet could be added to, or derived from, or has a receipt. */
  | "grant_missing"
  /** The service derives no such token. */
  | "derive_refused"
  | "derive_unanswered"
  | "refresh_refused"
  | "refresh_unanswered"

export type ErrorDetail = {
  /** The next step of the caller, where the service named it. */
  readonly action?: NextAction
  /** The service's reason, a code such as `insufficient_funds`. */
  readonly reason?: string
  readonly found?: string
  readonly wanted?: string
  /** The error of `fetch` or of a hook. Errors of accounts, files and bodies are never passed on: they could hold keys, paths or text. */
  readonly cause?: unknown
}

/** The base of all errors of this client. Never holds a key, a token, a secret or a signature, nor a `cause` that could. */
export class Ticket402Error extends Error {
  readonly code: Ticket402ErrorCode
  readonly action: NextAction | undefined
  readonly reason: string | undefined
  readonly found: string | undefined
  readonly wanted: string | undefined

  constructor(code: Ticket402ErrorCode, sentence: string, detail: ErrorDetail = {}) {
    const found = detail.found === undefined ? undefined : safe(detail.found)
    const wanted = detail.wanted === undefined ? undefined : safe(detail.wanted)
    const { reason, cause } = detail
    const said = reason && `the service said ${safe(reason)}`
    const facts = [said, found && `found ${found}`, wanted && `wanted ${wanted}`].filter(Boolean).join(", ")
    super(`${sentence}${facts === "" ? "" : ` (${facts})`} [${code}]`, cause === undefined ? {} : { cause })
    this.name = "Ticket402Error"
    this.code = code
    this.action = detail.action
    this.reason = reason
    this.found = found
    this.wanted = wanted
  }
}

/** An offer, or the place that sells it, breaks a rule of the payer. */
export class PolicyRefusal extends Ticket402Error {
  constructor(rule: PolicyRule, sentence: string, detail?: ErrorDetail) {
    super(rule, sentence, detail)
    this.name = "PolicyRefusal"
  }
}

/** An offer costs more than the payer allows. */
export class BudgetRefusal extends Ticket402Error {
  constructor(rule: BudgetRule, sentence: string, detail?: ErrorDetail) {
    super(rule, sentence, detail)
    this.name = "BudgetRefusal"
  }
}

/** Cuts and cleans a text of a stranger for a log line. */
const safe = (text: string): string => printable(text).slice(0, 120)
