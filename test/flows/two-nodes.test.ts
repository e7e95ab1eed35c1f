import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { sepoliaId } from "../support/offers.ts"
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  retryHeaders,
  type TestService,
} from "../support/service.ts"

let chain: LocalChain
let first: RpcProxy
let second: RpcProxy
let service: TestService
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  first = await startRpcProxy(chain.rpcUrl)
  second = await startRpcProxy(chain.rpcUrl)
  service = await openService({
    chain,
    config: {
      networks: { [sepoliaId]: { rpcUrls: [first.url, second.url] } },
      limits: { agreementAbove: "0.009" },
    },
  })
})
afterAll(async () => {
  await service.close()
  await first.close()
  await second.close()
  await chain.stop()
})

const receiptMethod = "eth_getTransactionReceipt"
const stateOf = async (purchase: Parameters<typeof retryHeaders>[0]): Promise<string> =>
  (await postToken(service.url, retryHeaders(purchase))).body.grant.settlement.state

describe("a payment above the agreement threshold", () => {
  it("SET-29: is not accepted while two nodes disagree, and is once they agree", async () => {
    const purchase = await preparePurchase(service, await service.customer(0n))
    const rich = (result: unknown) => `${(result as string).slice(0, 66)}${"f".repeat(64)}`
    first.fault = {
      kind: "lie",
      method: "eth_call",
      // Every word as the payment needs it: enough balance, unused nonce, full transfer.
      change: (result) =>
        `${rich(result)}${"0".repeat(64)}${"0".repeat(63)}1${(10_000).toString(16).padStart(64, "0")}${(result as string).slice(322)}`,
    }
    expect(await postToken(service.url, purchase.headers)).toMatchObject({
      status: 503,
      body: { reason: "chain_unavailable", next: { action: "retry" } },
    })
    first.fault = undefined
    expect(await postToken(service.url, purchase.headers)).toMatchObject({
      status: 400,
      body: { reason: "insufficient_funds" },
    })
    const funded = await preparePurchase(service, await service.customer())
    expect((await postToken(service.url, funded.headers)).status).toBe(200)
    await eventually(
      () => stateOf(funded),
      (state) => state === "settled",
    )
  })

  it("SET-29: is not settled while the second node denies its receipt", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    second.fault = { kind: "lie", method: receiptMethod, change: () => null }
    const before = second.calls.get(receiptMethod) ?? 0
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    await eventually(
      async () => (second.calls.get(receiptMethod) ?? 0) - before,
      (asked) => asked >= 2,
    )
    expect(await stateOf(purchase)).toBe("pending")
    second.fault = undefined
    await eventually(
      () => stateOf(purchase),
      (state) => state === "settled",
    )
  })
})
