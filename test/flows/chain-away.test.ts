import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import { openService, postToken, preparePurchase, type TestService, watch } from "../support/service.ts"

let chain: LocalChain
let proxy: RpcProxy
let service: TestService
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  proxy = await startRpcProxy(chain.rpcUrl)
  service = await openService({ chain, rpcUrl: proxy.url })
})
afterAll(async () => {
  await service.close()
  await proxy.close()
  await chain.stop()
})

describe("while the node is unreachable", () => {
  it("SET-26: a payment is refused with 503, not stored, and accepted afterwards", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    proxy.fault = { kind: "down" }
    const refused = await postToken(service.url, purchase.headers)
    expect(refused).toMatchObject({
      status: 503,
      body: { error: "temporarily_unavailable", reason: "chain_unavailable", next: { action: "retry" } },
    })
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0)
    expect(JSON.stringify(refused.body)).not.toContain(proxy.url)
    proxy.fault = undefined
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
  })

  it("existing tokens keep working", async () => {
    const bought = await postToken(
      service.url,
      (await preparePurchase(service, await service.customer())).headers,
    )
    proxy.fault = { kind: "down" }
    expect((await watch(service.url, bought.body.access_token)).status).toBe(200)
    proxy.fault = undefined
  })

  it("one payment costs one read of the chain", async () => {
    const warm = await preparePurchase(service, await service.customer())
    expect((await postToken(service.url, warm.headers)).status).toBe(200)
    const before = proxy.calls.get("eth_call") ?? 0
    const purchase = await preparePurchase(service, await service.customer())
    const calls = () => (proxy.calls.get("eth_call") ?? 0) - before
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    expect(calls()).toBe(1)
  })

  it("IDM-09: refused attempts leave nothing, so the payment is redeemed once later", async () => {
    const customer = await service.customer(10_000n)
    const purchase = await preparePurchase(service, customer)
    proxy.fault = { kind: "down" }
    for (let attempt = 0; attempt < 3; attempt++)
      expect((await postToken(service.url, purchase.headers)).status).toBe(503)
    proxy.fault = undefined
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    expect((await postToken(service.url, purchase.headers)).status).toBe(409)
  })
})
