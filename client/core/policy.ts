/** Checks every entry of a 402 against the payer's own table and rules, before anything is signed. */

import { type AssetInfo, findAsset, type NetworkInfo } from "../../shared/networks/network.ts"
import { findScheme, schemeNames, transferMethodsOf } from "../../shared/schemes/index.ts"
import { extraMembers, type Scheme } from "../../shared/schemes/scheme.ts"
import { parseAtomic } from "../../shared/values/amount.ts"
import { type Address, parseAddress, zeroAddress } from "../../shared/values/evm.ts"
import { committedOffer } from "../../shared/x402/commitment.ts"
import { type OfferTerms, requirementsSchema } from "../../shared/x402/messages.ts"
import { formatMicros, microsOf } from "./budget-rules.ts"
import type { Challenge } from "./challenge.ts"
import { BudgetRefusal, PolicyRefusal, type PolicyRule } from "./errors.ts"

/** The currency budgets are written in; assets of another would be added up as if they were this one. */
const currency = "USD"
const maxWindowSeconds = 600
/** An entry travels back inside a header; servers stop reading headers at 8 or 16 kB. */
const maxEntryCharacters = 4_096

export type Policy = {
  readonly payer: Address
  /** The networks the payer allows, by CAIP-2 id. */
  readonly networks: ReadonlyMap<string, NetworkInfo>
  /** Millionths of the currency; not given where a price is only asked for. */
  readonly perPurchase: bigint | undefined
  /** An absent list restricts nothing. Assets by their address on their network. */
  readonly origins: ReadonlySet<string> | undefined
  readonly assets: ReadonlySet<AssetInfo> | undefined
  readonly payTos: ReadonlySet<Address> | undefined
  /** Whether an unknown recipient can be approved. */
  readonly canApprove: boolean
}

/** The rules, with the recipients that the seller was paid at before. */
export type Rules = Policy & { readonly recipients: readonly Address[] }

/** An entry that passed every rule, in the payer's own terms. */
export type Choice = {
  readonly entry: unknown
  readonly scheme: Scheme
  readonly network: NetworkInfo
  readonly asset: AssetInfo
  readonly offer: string
  /** The text that the nonce commits to: the offer, and its quote if there is one. */
  readonly offerRef: string
  readonly terms: OfferTerms
  readonly payTo: Address
  /** `known`: paid before or the first; `listed` in `allow.recipients`; `new`: approval is needed. */
  readonly recipient: "known" | "listed" | "new"
  /** The recipients of all entries that passed. */
  readonly recipients: readonly Address[]
  /** Atomic units. */
  readonly amount: bigint
  /** Millionths of the currency, rounded up. */
  readonly micros: bigint
  /** How long the signature is valid: as the seller asks, at most 600 s (CLI-10). */
  readonly windowSeconds: number
}

/** The entries that pass every rule, one at least; else throws for the one that came furthest. */
export function requireAcceptable(challenge: Challenge, rules: Rules): readonly Acceptable[] {
  const passed: Acceptable[] = []
  const refused: Refused[] = []
  for (const entry of challenge.accepts) {
    const verdict = judge(entry, challenge, rules)
    if ("rule" in verdict) refused.push(verdict)
    else passed.push(verdict)
  }
  if (passed.length === 0) throw refusalOf(refused)
  return passed
}

/** In the order of the checks: the last broken rule belongs to the entry that came furthest. */
const order = [
  "nothing_on_offer",
  "entry_malformed",
  "scheme_unknown",
  "network_not_allowed",
  "asset_unknown",
  "asset_not_allowed",
  "transfer_method_unknown",
  "payment_flow_unknown",
  "offer_unlisted",
  "offer_too_small",
  "domain_mismatch",
  "pay_to_invalid",
  "recipient_not_allowed",
  "recipient_changed",
  "amount_zero",
  "amount_over_limit",
] as const satisfies readonly (PolicyRule | "amount_over_limit")[]
type Rule = (typeof order)[number]
/** An entry that passed, before one of several is chosen. */
export type Acceptable = Omit<Choice, "recipients">
type Refused = { readonly rule: Rule; readonly found: string; readonly wanted: string }

function judge(entry: unknown, { info, show }: Challenge, policy: Rules): Acceptable | Refused {
  const no = (rule: Rule, found: string | undefined, wanted: string): Refused => ({
    rule,
    found: found ?? "nothing",
    wanted,
  })
  const parsed = requirementsSchema.safeParse(entry)
  if (!parsed.success)
    return no(
      "entry_malformed",
      `a wrong ${parsed.error.issues[0]?.path.join(".") || "entry"}`,
      "an x402 v2 requirement",
    )
  if (JSON.stringify(entry).length > maxEntryCharacters)
    return no("entry_malformed", "a long entry", `at most ${maxEntryCharacters} characters`)
  const wanted = parsed.data
  const extra = wanted.extra ?? {}

  const methods = transferMethodsOf(wanted.scheme)
  if (methods.length === 0) return no("scheme_unknown", wanted.scheme, schemeNames.join(" or "))
  const network = policy.networks.get(wanted.network)
  if (!network) return no("network_not_allowed", wanted.network, [...policy.networks.keys()].join(" or "))
  const address = parseAddress(wanted.asset)
  const asset = address && findAsset(network, address)
  if (!asset || asset.currency !== currency)
    return no("asset_unknown", wanted.asset, `an asset of the own table on ${network.name}`)
  if (policy.assets && !policy.assets.has(asset))
    return no("asset_not_allowed", asset.symbol, "an asset of allow.assets")
  const scheme = findScheme(wanted.scheme, extra.assetTransferMethod)
  if (!scheme) return no("transfer_method_unknown", extra.assetTransferMethod, methods.join(" or "))
  const flows = show ? ["upfront"] : ["access-token", "upfront"]
  if (extra.paymentFlow !== undefined && !flows.includes(extra.paymentFlow))
    return no("payment_flow_unknown", extra.paymentFlow, flows.join(" or "))
  const terms =
    extra.offer !== undefined && Object.hasOwn(info.offers, extra.offer)
      ? info.offers[extra.offer]
      : undefined
  if (extra.offer === undefined || !terms)
    return no("offer_unlisted", extra.offer, "an offer the 402 describes")
  // Too few calls for the cost of this one: the grant would be used up before a single call passes.
  if (terms.calls != null && terms.calls < (info.cost ?? 1))
    return no("offer_too_small", `${terms.calls} calls`, `${info.cost}, which this call takes`)
  // The domain that is signed comes from the own table in any case; a seller who names another one expects a
  // signature that this client does not give (CLI-08).
  const own = scheme.extra(asset)
  const members = extraMembers.filter((member) => own[member] !== undefined)
  const expected = members.map((member) => own[member])
  const found = members.map((member) => extra[member] ?? own[member])
  if (found.some((value, at) => value !== expected[at]))
    return no(
      "domain_mismatch",
      found.join(" "),
      `${expected.join(" ")} for ${asset.symbol} on ${network.name}`,
    )
  const payTo = parseAddress(wanted.payTo)
  if (!payTo || payTo === zeroAddress || payTo === policy.payer)
    return no("pay_to_invalid", wanted.payTo, "an address that is neither zero nor the payer's")
  if (policy.payTos && !policy.payTos.has(payTo))
    return no("recipient_not_allowed", payTo, "an address of allow.recipients")
  const isKnown = policy.recipients.length === 0 || policy.recipients.includes(payTo)
  const recipient = isKnown ? "known" : policy.payTos ? "listed" : "new"
  if (recipient === "new" && !policy.canApprove)
    return no("recipient_changed", payTo, `${policy.recipients.join(" or ")}, or an approval`)
  const amount = parseAtomic(wanted.amount)
  if (amount === 0n) return no("amount_zero", "0", "a price")
  const micros = microsOf(amount, asset.decimals)
  if (policy.perPurchase !== undefined && micros > policy.perPurchase)
    return no("amount_over_limit", formatMicros(micros), `at most ${formatMicros(policy.perPurchase)}`)

  return {
    entry,
    scheme,
    network,
    asset,
    offer: extra.offer,
    offerRef: committedOffer(extra.offer, extra.quote),
    terms,
    payTo,
    recipient,
    amount,
    micros,
    windowSeconds: Math.min(wanted.maxTimeoutSeconds, maxWindowSeconds),
  }
}

function refusalOf(refused: readonly Refused[]): PolicyRefusal | BudgetRefusal {
  const worst = refused.reduce<Refused>(
    (best, next) => (order.indexOf(next.rule) > order.indexOf(best.rule) ? next : best),
    { rule: "nothing_on_offer", found: "no entry", wanted: "something to buy" },
  )
  const { rule, found, wanted } = worst
  return rule === "amount_over_limit"
    ? new BudgetRefusal(rule, "The price is over the limit of one purchase.", { found, wanted })
    : new PolicyRefusal(rule, "Nothing on offer may be bought.", { found, wanted })
}
