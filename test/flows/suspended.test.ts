import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { createClient, type Ticket402Error } from "../../client/index.ts"
import { createVerifier } from "../../client/verifier/verify.ts"
import { sepoliaId } from "../support/offers.ts"
import type { Account } from "../support/payments.ts"
import {
  askStatus,
  emptyBalance,
  eventually,
  offer,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

let service: TestService
beforeEach(async () => {
  service = await openService()
})
afterEach(() => service.close())

/** A sale whose payment cannot be settled: the money is gone, and two blocks say so. */
async function sellSuspended(customer: Account) {
  await service.chain.request("evm_setAutomine", [false])
  const purchase = await preparePurchase(service, customer)
  const bought = await postToken(service.url, purchase.headers)
  expect(bought.status).toBe(200)
  await emptyBalance(service, customer)
  const token = bought.body.access_token as string
  await untilSuspended(token)
  return { purchase, token, refreshToken: bought.body.refresh_token as string }
}

const untilSuspended = (token: string) =>
  eventually(
    async () => {
      await service.chain.request("anvil_mine", ["0x1"])
      return watch(service.url, token)
    },
    ({ status }) => status !== 200,
    60,
  )

/** The customer has the money again, and blocks come as they are needed. */
async function refill(customer: Account): Promise<void> {
  await service.chain.request("evm_setAutomine", [true])
  await service.chain.mint(customer.address, 10_000n)
}

const delayed = {
  status: 503,
  body: {
    error: "temporarily_unavailable",
    reason: "settlement_delayed",
    next: { action: "retry", retryAfterSeconds: 5 },
  },
}

describe("a suspended payment", () => {
  it("SET-52: gets 503 and retry everywhere, until it is paid and its grant goes on", async () => {
    const customer = await service.customer(10_000n)
    const { purchase, token, refreshToken } = await sellSuspended(customer)
    const refused = await watch(service.url, token)
    expect(refused).toMatchObject(delayed)
    expect(refused.headers.get("retry-after")).toBe("5")
    expect(refused.headers.get("payment-required")).toBeNull()
    // Neither a route of another scope nor an expired token may ask for money.
    const elsewhere = { method: "POST", headers: { authorization: `Bearer ${token}` } }
    expect((await fetch(`${service.url}/movies`, elsewhere)).status).toBe(503)
    expect(await refresh(service.url, refreshToken)).toMatchObject(delayed)
    expect(await postToken(service.url, retryHeaders(purchase))).toMatchObject(delayed)
    expect((await postToken(service.url, purchase.headers)).status).toBe(409)
    const ready = await fetch(`${service.url}/health/ready`)
    expect(await ready.json()).toMatchObject({ suspended_payments: 1 })
    const status = await askStatus(service.url, { authorization: `Bearer ${token}` })
    expect(status.body.grant.settlement.state).toBe("suspended")

    await refill(customer)
    const resumed = await eventually(
      () => watch(service.url, token),
      (answer) => answer.status !== 503,
      60,
    )
    expect(resumed.status).toBe(200)
    expect((await refresh(service.url, refreshToken)).status).toBe(200)
    expect(await service.balanceOf(service.payTo.address)).toBe(10_000n)
  })

  it("SET-52: gets 503 from a verifier elsewhere, which passes its token afterwards", async () => {
    const customer = await service.customer(10_000n)
    const verifier = createVerifier({ issuer: service.url })
    try {
      const { token } = await sellSuspended(customer)
      const check = () => verifier.check(`Bearer ${token}`, "movies:read")
      const refused = await eventually(check, ({ kind }) => kind === "refuse", 60)
      expect(refused).toMatchObject({ kind: "refuse", reason: "settlement_delayed", status: 503 })
      await refill(customer)
      expect((await eventually(check, ({ kind }) => kind === "pass", 60)).kind).toBe("pass")
    } finally {
      verifier.close()
    }
  })

  it("SET-52: makes our client wait, and never pay again", async () => {
    const customer = await service.customer(30_000n)
    let signed = 0
    let later = 0
    const account = {
      address: customer.address,
      signTypedData: (parameters: never) => {
        signed += 1
        return customer.signTypedData(parameters)
      },
    }
    const client = createClient({
      account,
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: [sepoliaId],
      resendSeconds: 1,
      now: () => Date.now() / 1000 + later,
    })
    const url = `${service.url}/movies/1`
    await service.chain.request("evm_setAutomine", [false])
    expect((await client.fetch(url)).status).toBe(200)
    await emptyBalance(service, customer)
    const call = async () => {
      await service.chain.request("anvil_mine", ["0x1"])
      return client.fetch(url)
    }
    const answer = await eventually(call, ({ status }) => status !== 200, 60)
    expect(answer.status).toBe(503)
    // To this client the token has expired, so it refreshes before the call.
    later = 70
    const error = await client.fetch(url).catch((each: Ticket402Error) => each)
    expect(error).toMatchObject({ code: "refresh_unanswered", action: "retry" })
    await refill(customer)
    const again = () => client.fetch(url).catch(() => undefined)
    expect((await eventually(again, (response) => response?.status === 200, 60))?.status).toBe(200)
    expect(signed).toBe(1)
  })

  it("SET-52: of a settle-first buyer gets 503, and the token once it is paid", async () => {
    await service.close()
    const offers = [{ ...offer("hour", "movies:read", "0.01"), settle: "first" as const }]
    service = await openService({ config: { offers }, issuer: { waits: { seconds: 0.2 } } })
    const customer = await service.customer(10_000n)
    await service.chain.request("evm_setAutomine", [false])
    const purchase = await preparePurchase(service, customer)
    expect((await postToken(service.url, purchase.headers)).status).toBe(202)
    await emptyBalance(service, customer)
    const repeated = await eventually(
      async () => {
        await service.chain.request("anvil_mine", ["0x1"])
        return postToken(service.url, retryHeaders(purchase))
      },
      ({ status }) => status === 503,
      60,
    )
    expect(repeated).toMatchObject(delayed)
    await refill(customer)
    const bought = await eventually(
      () => postToken(service.url, retryHeaders(purchase)),
      ({ status }) => status === 200,
      60,
    )
    expect(bought.body.grant.settlement.state).toBe("settled")
  })
})
