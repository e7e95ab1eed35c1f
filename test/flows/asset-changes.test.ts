import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { encodeFunctionData } from "../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { testUsdc } from "../support/contracts/artifacts/test-usdc.ts"
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  type TestService,
  watch,
} from "../support/service.ts"

let chain: LocalChain
let proxy: RpcProxy
let service: TestService
/** Seconds that the clock of the service is ahead, so that no test waits for the next reading. */
let ahead = 0
const alarms: string[] = []
const notes: string[] = []

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  proxy = await startRpcProxy(chain.rpcUrl)
  const error = (_fields: object, message: string) => void alarms.push(message)
  const info = (_fields: object, message: string) => void notes.push(message)
  const log = { debug() {}, info, warn() {}, error }
  const now = () => Math.floor(Date.now() / 1000) + ahead
  service = await openService({ chain, rpcUrl: proxy.url, issuer: { log, now } })
  await eventually(ready, (status) => status === 200)
})
afterEach(() => {
  proxy.fault = undefined
  alarms.length = 0
  notes.length = 0
})
afterAll(async () => {
  await service.close()
  await proxy.close()
  await chain.stop()
})

/** Lets the time of the next reading come, and waits until the service has seen the change. */
async function seen(lines: readonly string[], wanted: RegExp): Promise<void> {
  ahead += 20
  await eventually(
    async () => lines.some((line) => wanted.test(line)),
    (isThere) => isThere,
  )
}
const opened = () => seen(notes, /sales are open/)
const ready = async () => (await fetch(`${service.url}/health/ready`)).status
const call = async (
  functionName: "pause" | "unpause" | "blacklist" | "unBlacklist",
  account?: `0x${string}`,
) => {
  const args = account === undefined ? [] : [account]
  const data = encodeFunctionData({ abi: testUsdc.abi, functionName, args } as never)
  await chain.fund(`0x${"7".repeat(40)}`)
  await chain.request("anvil_impersonateAccount", [`0x${"7".repeat(40)}`])
  await chain.request("eth_sendTransaction", [{ from: `0x${"7".repeat(40)}`, to: chain.asset, data }])
  await chain.request("evm_mine", [])
}
const implementation = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
const setImplementation = (digit: string) =>
  chain.request("anvil_setStorageAt", [chain.asset, implementation, `0x${digit.repeat(64)}`])
const lieAboutDomain = async () => {
  const change = (result: unknown, [asked]: unknown[]) =>
    (asked as { data: string }).data === "0x3644e515" ? `0x${"9".repeat(64)}` : result
  proxy.fault = { kind: "lie", method: "eth_call", change }
}
const tellTruth = async () => {
  proxy.fault = undefined
}

type Change = {
  readonly name: string
  readonly alarm: RegExp
  readonly make: () => Promise<unknown>
  readonly undo: () => Promise<unknown>
}

const changes: readonly Change[] = [
  { name: "is paused", alarm: /is paused/, make: () => call("pause"), undo: () => call("unpause") },
  {
    name: "blocks the recipient",
    alarm: /blocks the recipient/,
    make: () => call("blacklist", service.payTo.address),
    undo: () => call("unBlacklist", service.payTo.address),
  },
  {
    name: "blocks a relayer",
    alarm: /blocks a relayer/,
    make: () => call("blacklist", service.issuer.relayer),
    undo: () => call("unBlacklist", service.issuer.relayer),
  },
  { name: "signs in another domain", alarm: /domain/, make: lieAboutDomain, undo: tellTruth },
]

describe("an asset on sale", () => {
  it.each(changes)("closes while it $name, with alarm and retry, and opens without help", async (change) => {
    const buyer = await service.customer()
    const purchase = await preparePurchase(service, buyer)
    await change.make()
    await seen(alarms, change.alarm)
    expect(await eventually(ready, (status) => status === 503)).toBe(503)
    const refused = await postToken(service.url, purchase.headers)
    expect(refused).toMatchObject({
      status: 503,
      body: { reason: "asset_unavailable", next: { action: "retry", retryAfterSeconds: 30 } },
    })
    expect(refused.body.error_description).toMatch(change.alarm)
    expect(await watch(service.url)).toMatchObject({ status: 503, body: { next: { action: "retry" } } })
    expect(alarms.filter((line) => change.alarm.test(line))).toHaveLength(1)

    await change.undo()
    await opened()
    expect(await eventually(ready, (status) => status === 200)).toBe(200)
    expect((await watch(service.url)).status).toBe(402)
    const paid = await postToken(service.url, purchase.headers)
    expect(paid.status, JSON.stringify(paid.body)).toBe(200)
    expect((await watch(service.url, paid.body.access_token)).status).toBe(200)
  })

  it("answers a buyer at once with retry, before the next reading finds the pause", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    await call("pause")
    const { status, body } = await postToken(service.url, purchase.headers)
    expect({ status, reason: body.reason }).toEqual({ status: 503, reason: "asset_unavailable" })
    await call("unpause")
    await opened()
    expect((await postToken(service.url, purchase.headers)).status).toBe(200)
  })

  it("closes for one reading after its contract changed, and opens at an equal reading", async () => {
    await setImplementation("3")
    await seen(alarms, /has just been replaced/)
    await opened()
    expect(await eventually(ready, (status) => status === 200)).toBe(200)
  })

  it("keeps existing tokens working while it is closed", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    const { body } = await postToken(service.url, purchase.headers)
    await call("pause")
    await seen(alarms, /is paused/)
    expect((await watch(service.url, body.access_token)).status).toBe(200)
    await call("unpause")
    await opened()
  })
})
