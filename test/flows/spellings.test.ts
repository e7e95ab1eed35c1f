import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { paymentGrantType } from "../../shared/oauth/messages.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { type Roll, rollOf, spellJson, spellPayment } from "../support/json-text.ts"
import { signPayment } from "../support/payments.ts"
import { openService, type TestService } from "../support/service.ts"

let service: TestService
beforeAll(async () => {
  service = await openService()
})
afterAll(() => service.close())

/** One request with the payment in header or body, in a random spelling. */
function requestOf(payment: Record<string, unknown>, roll: Roll): Request {
  const spelled = spellPayment(payment, roll)
  if (roll(2) === 0) {
    const header = Buffer.from(spellJson(spelled, roll)).toString("base64")
    const name = roll(2) === 0 ? paymentSignatureHeader : paymentSignatureHeader.toLowerCase()
    return new Request(`${service.url}/token`, { method: "POST", headers: { [name]: header } })
  }
  const types = [
    "application/json",
    "APPLICATION/json;charset=utf-8",
    'application/json ; x=y; charset="UTF-8"',
  ]
  return new Request(`${service.url}/token?more=1`, {
    method: "POST",
    headers: { "content-type": types[roll(3)] ?? "" },
    body: spellJson({ grant_type: paymentGrantType, payment: spelled, more: 1 }, roll),
  })
}

const caller = { path: "/token", peer: "127.0.0.1", rawHeaders: [] }
const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 })

describe("one authorization", () => {
  it("RPL-13, RPL-14: is redeemed once by two requests in any spelling", async () => {
    const property = fc.asyncProperty(bytes, bytes, async (first, second) => {
      const account = await service.customer(10_000n)
      const { payload } = await signPayment({ accepted: service.accepted, account })
      const answers = await Promise.all(
        [first, second].map(async (choice) => {
          const answer = await service.issuer.router.handle(requestOf(payload, rollOf(choice)), caller)
          return answer.status === 200 ? 200 : ((await answer.json()) as { reason: string }).reason
        }),
      )
      expect(answers.sort()).toEqual([200, "authorization_conflict"])
    })
    await fc.assert(property, { numRuns: 60 })
  }, 60_000)
})
