import { expect, it } from "vitest"
import { type DeriveRequest, derive, withinParent } from "../../../server/core/derive.ts"
import { type IssuedGrant, plainTokenSeconds } from "../../../server/core/grant.ts"
import { redeemedOf } from "../../../server/stores/verbs/redeem.ts"
import { longestTokenSeconds } from "../../../shared/oauth/revocation.ts"
import { orderOf, start } from "../../support/orders.ts"

const day = 86_400
const parent = redeemedOf(orderOf({ grant: { expiresAt: start + day } }), "background").grant as IssuedGrant
const request: DeriveRequest = {
  generation: 0,
  shownUntil: null,
  resources: ["https://shop.test"],
  keyThumbprint: null,
  id: "child",
  jti: "child",
  scope: null,
  units: null,
  lifeSeconds: day,
  boundTo: null,
  now: start,
}
function derived(of: IssuedGrant, settlement: "pending" | "settled"): IssuedGrant {
  const decision = derive(of, settlement, 0, request)
  if (decision.kind === "refused") throw new Error(decision.reason)
  return decision.grant
}

it("a derived grant before settlement lives as long as a plain client's token", () => {
  expect(derived(parent, "pending").token).toMatchObject({
    expiresAt: start + plainTokenSeconds,
    settled: false,
  })
  expect(derived(parent, "settled").token).toMatchObject({
    expiresAt: start + longestTokenSeconds,
    settled: true,
  })
})

it("a derived token is no older than its parent's, so superseding covers it", () => {
  const later = { ...parent, token: { ...parent.token, issuedAt: start + 1 } }
  expect(derived(later, "settled").token.issuedAt).toBe(start + 1)
})

it("a derived grant ends with its parent, also when the parent is shortened", () => {
  const child = derived(parent, "settled")
  const shorter = { ...parent, expiresAt: start + 9 }
  expect(withinParent(child, shorter).expiresAt).toBe(start + 9)
  expect(withinParent(child, parent).expiresAt).toBe(child.expiresAt)
})
