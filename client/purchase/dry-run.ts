/** A dry run: what a call would cost, and which rule would refuse it, without paying and without a token. */

import type { Fetch } from "../core/call.ts"
import { BudgetRefusal, PolicyRefusal } from "../core/errors.ts"
import type { Choice, Policy } from "../core/policy.ts"
import { type GrantSummary, summaryOf } from "../wallet/wallet.ts"
import { discard } from "../wire/bodies.ts"
import { createHops, repeatable, send } from "../wire/request.ts"
import type { Approval, ApprovalReason, PurchaseTerms } from "./approval.ts"
import { termsOf } from "./approval.ts"
import { nameOf } from "./booking.ts"
import type { Budget } from "./budget.ts"
import type { Sale, Sales } from "./sale.ts"

export type DryRun =
  /** The service answered without asking for money: the call has been made, with this status. */
  | { readonly kind: "free"; readonly status: number }
  /** The service wants money in a way that this client does not know, or in its ticket office: that 402 is the caller's. */
  | { readonly kind: "unknown" }
  /** A grant in the wallet would be used. */
  | { readonly kind: "held"; readonly grant: GrantSummary }
  | {
      readonly kind: "sale"
      /** What would be bought; undefined when the rules leave nothing. */
      readonly purchase: PurchaseTerms | undefined
      /** What the call would throw now. */
      readonly refusal: PolicyRefusal | BudgetRefusal | undefined
      /** Why somebody would be asked first. */
      readonly approval: ApprovalReason | undefined
    }

export type DryRunCall = (...call: Parameters<Fetch>) => Promise<DryRun>

export function createDryRun(deps: {
  readonly fetch: typeof globalThis.fetch
  readonly sales: Sales
  readonly budget: Budget
  readonly policy: Policy
  readonly approval: Approval
  readonly expectedCalls: number
}): DryRunCall {
  const { sales, budget, policy, approval } = deps

  return async (input, init, plans) => {
    let request = await repeatable(input, init)
    const next = createHops()
    for (;;) {
      const response = await send(deps.fetch, request, undefined)
      try {
        const target = next(request, response)
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
      const challenge = await sales.read(response, asked)
      if (!challenge) return { kind: "unknown" }
      const sale = sales.enter(challenge, asked, response)
      const held = await sales.held(sale, new Set())
      if (held) return { kind: "held", grant: summaryOf(held) }
      const choice = await chosen(sale, expectedCalls)
      purchase = termsOf(choice, sale.place)
      const isApproved = choice.recipient !== "known"
      await budget.check({ ...choice, isApproved, origin: purchase.origin, offer: nameOf(choice.offer) })
      return { kind: "sale", purchase, refusal: undefined, approval: approval.reasonFor(choice) }
    } catch (error) {
      if (!(error instanceof PolicyRefusal || error instanceof BudgetRefusal)) throw error
      return { kind: "sale", purchase, refusal: error, approval: undefined }
    }
  }

  /** What is too dear has a price all the same; the budget refuses it by then. */
  async function chosen(sale: Sale, expectedCalls: number): Promise<Choice> {
    try {
      return await sales.choose(sale, expectedCalls)
    } catch (error) {
      if (!(error instanceof BudgetRefusal)) throw error
      return sales.choose(sale, expectedCalls, { ...policy, perPurchase: undefined })
    }
  }
}
