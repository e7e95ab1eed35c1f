/** Prices a call without a token and without a payment, and names the rule that would refuse it. */
import type { Fetch } from "../core/call.ts"
import { BudgetRefusal, PolicyRefusal } from "../core/errors.ts"
import type { Choice, Policy } from "../core/policy.ts"
import { type GrantSummary, summaryOf, type Wallet } from "../wallet/wallet.ts"
import { discard } from "../wire/bodies.ts"
import { createRedirects, repeatable, send } from "../wire/request.ts"
import type { Approval, ApprovalReason, PurchaseTerms } from "./approval.ts"
import { termsOf } from "./approval.ts"
import type { Budget } from "./budget.ts"
import type { OfferReader, Offers } from "./offers.ts"
import { nameOf } from "./prepare-payment.ts"
import { requireUseful } from "./useful.ts"

export type DryRun =
  /** The service answered without asking for money: the call has been made, with this status. */
  | { readonly kind: "free"; readonly status: number }
  /** A 402 that this client does not pay: of another kind, or of the token endpoint itself. */
  | { readonly kind: "unknown" }
  /** A grant in the wallet would be used. */
  | { readonly kind: "held"; readonly grant: GrantSummary }
  | {
      readonly kind: "sale"
      /** The purchase that the call would make; undefined when the rules leave no offer. */
      readonly purchase: PurchaseTerms | undefined
      /** The error that the call would throw now. */
      readonly refusal: PolicyRefusal | BudgetRefusal | undefined
      /** Why `approve` would be called first. */
      readonly approval: ApprovalReason | undefined
    }

export type DryRunCall = (...call: Parameters<Fetch>) => Promise<DryRun>

export function createDryRun(deps: {
  readonly fetch: typeof globalThis.fetch
  readonly now: () => number
  readonly wallet: Wallet
  readonly offerReader: OfferReader
  readonly budget: Budget
  readonly policy: Policy
  readonly approval: Approval
  readonly expectedCalls: number
}): DryRunCall {
  const { offerReader, budget, policy, approval } = deps

  return async (input, init, plans) => {
    let request = await repeatable(input, init)
    const followRedirect = createRedirects()
    for (;;) {
      const response = await send(deps.fetch, request, undefined)
      try {
        const target = followRedirect(request, response)
        if (!target) return await read(response, request.url, plans?.expectedCalls ?? deps.expectedCalls)
        request = target
      } finally {
        discard(response)
      }
    }
  }

  async function read(response: Response, asked: URL, expectedCalls: number): Promise<DryRun> {
    if (response.status !== 402) return { kind: "free", status: response.status }
    let purchase: PurchaseTerms | undefined
    try {
      const challenge = await offerReader.readChallenge(response, asked)
      if (!challenge) return { kind: "unknown" }
      const offers = offerReader.requirePayable(challenge, asked, response)
      const held = await offerReader.findGrant(offers, new Set())
      if (held) return { kind: "held", grant: summaryOf(held) }
      await requireUseful(offers, deps.wallet, deps.now())
      const choice = await choose(offers, expectedCalls)
      purchase = termsOf(choice, offers.place)
      const isApproved = choice.recipient !== "known"
      await budget.check({ ...choice, isApproved, origin: purchase.origin, offer: nameOf(choice.offer) })
      return { kind: "sale", purchase, refusal: undefined, approval: approval.reasonFor(choice) }
    } catch (error) {
      if (!(error instanceof PolicyRefusal || error instanceof BudgetRefusal)) throw error
      return { kind: "sale", purchase, refusal: error, approval: undefined }
    }
  }

  /** An offer over the limit has a price too: it is chosen here, and the budget refuses it later. */
  async function choose(offers: Offers, expectedCalls: number): Promise<Choice> {
    try {
      return await offerReader.chooseOffer(offers, expectedCalls)
    } catch (error) {
      if (!(error instanceof BudgetRefusal)) throw error
      return offerReader.chooseOffer(offers, expectedCalls, { ...policy, perPurchase: undefined })
    }
  }
}
