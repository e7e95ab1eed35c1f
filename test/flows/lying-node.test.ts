import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

const price = 10_000n

let chain: LocalChain
let proxy: RpcProxy
let service: TestService
let ahead = 0
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  proxy = await startRpcProxy(chain.rpcUrl)
  const now = () => Math.floor(Date.now() / 1000) + ahead
  service = await openService({ chain, rpcUrl: proxy.url, issuer: { now } })
})
afterAll(async () => {
  await service.close()
  await proxy.close()
  await chain.stop()
})

/** Resolves when the service has called a method `times` more. */
async function asked(method: string, times: number): Promise<void> {
  const before = proxy.calls.get(method) ?? 0
  await eventually(
    async () => proxy.calls.get(method) ?? 0,
    (count) => count >= before + times,
    30,
  )
}

async function settledOnce(customer: `0x${string}`, secret: Parameters<typeof retryHeaders>[0]) {
  const answer = await eventually(
    () => postToken(service.url, retryHeaders(secret)),
    ({ body }) => body.grant?.settlement.state !== "pending",
    30,
  )
  expect(answer.body.grant.settlement.state).toBe("settled")
  expect(await service.balanceOf(customer)).toBe(1_000_000n - price)
}

describe("a node whose answers are false", () => {
  it("IDM-08: a retry gets its token while the broadcast's outcome is unknown", async () => {
    const customer = await service.customer()
    await chain.request("evm_setAutomine", [false])
    proxy.fault = { kind: "lose-answer", method: "eth_sendRawTransaction" }
    const purchase = await preparePurchase(service, customer)
    const sent = asked("eth_sendRawTransaction", 1)
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    await sent
    for (let retry = 0; retry < 3; retry++)
      expect(await postToken(service.url, retryHeaders(purchase))).toMatchObject({
        status: 200,
        body: { grant: { settlement: { state: "pending" } } },
      })
    proxy.fault = undefined
    await chain.request("anvil_mine", ["0x1"])
    await chain.request("evm_setAutomine", [true])
    await settledOnce(customer.address, purchase)
  })

  it("SET-29: a receipt without the payment's logs neither settles nor fails it", async () => {
    const customer = await service.customer()
    const polled = asked("eth_getTransactionReceipt", 3)
    proxy.fault = {
      kind: "lie",
      method: "eth_getTransactionReceipt",
      change: (receipt) => (receipt ? { ...(receipt as object), status: "0x1", logs: [] } : receipt),
    }
    const purchase = await preparePurchase(service, customer)
    const bought = await postToken(service.url, purchase.headers)
    await polled
    const meanwhile = await refresh(service.url, bought.body.refresh_token)
    expect(meanwhile).toMatchObject({ status: 200, body: { grant: { settlement: { state: "pending" } } } })
    expect((await watch(service.url, meanwhile.body.access_token)).status).toBe(200)
    proxy.fault = undefined
    await settledOnce(customer.address, purchase)
  })

  it("SET-29: a success receipt for an unmined transaction settles nothing", async () => {
    const customer = await service.customer()
    await chain.request("evm_setAutomine", [false])
    const block = (await chain.request("eth_getBlockByNumber", ["latest", false])) as {
      hash: string
      number: string
    }
    proxy.fault = {
      kind: "lie",
      method: "eth_getTransactionReceipt",
      change: (_receipt, [transactionHash]) => ({
        ...{ transactionHash, transactionIndex: "0x0", status: "0x1", type: "0x2", logs: [] },
        ...{
          blockHash: block.hash,
          blockNumber: block.number,
          gasUsed: "0x5208",
          cumulativeGasUsed: "0x5208",
        },
        ...{ effectiveGasPrice: "0x1", contractAddress: null, logsBloom: `0x${"0".repeat(512)}` },
      }),
    }
    const purchase = await preparePurchase(service, customer)
    const polled = asked("eth_blockNumber", 0).then(() => asked("eth_getTransactionCount", 3))
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
    await polled
    expect(await postToken(service.url, retryHeaders(purchase))).toMatchObject({
      status: 200,
      body: { grant: { settlement: { state: "pending" } } },
    })
    proxy.fault = undefined
    await chain.request("anvil_mine", ["0x1"])
    await chain.request("evm_setAutomine", [true])
    await settledOnce(customer.address, purchase)
  })

  it("SET-42: a clock jumping an hour and back settles each payment exactly once", async () => {
    const [first, second] = [await service.customer(), await service.customer()]
    await chain.request("evm_setAutomine", [false])
    const before = await preparePurchase(service, first)
    expect((await postToken(service.url, before.headers)).status).toBe(200)
    ahead = 3600
    const after = await preparePurchase(service, second, { now: Math.floor(Date.now() / 1000) + ahead })
    expect((await postToken(service.url, after.headers)).status).toBe(200)
    ahead = 0
    await chain.request("evm_setAutomine", [true])
    await chain.request("anvil_mine", ["0x1"])
    await settledOnce(first.address, before)
    await settledOnce(second.address, after)
  })
})
