import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { encodeFunctionData } from "../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { assetAdmin, putCode } from "../support/chain/test-asset.ts"
import { testProxy } from "../support/contracts/artifacts/test-proxy.ts"
import { testUsdc } from "../support/contracts/artifacts/test-usdc.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

let chain: LocalChain
let service: TestService
/** Seconds that the clock of the service is ahead, so that no test waits for the next reading. */
let ahead = 0
const alarms: string[] = []
const notes: string[] = []

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  const error = (_fields: object, message: string) => void alarms.push(message)
  const info = (_fields: object, message: string) => void notes.push(message)
  const log = { debug() {}, info, warn() {}, error }
  const now = () => Math.floor(Date.now() / 1000) + ahead
  service = await openService({ chain, issuer: { log, now } })
  await eventually(ready, (status) => status === 200)
})
afterEach(() => {
  alarms.length = 0
  notes.length = 0
})
afterAll(async () => {
  await service.close()
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
/** Sends calldata to the asset as an account without a key. */
const sendAs = async (from: `0x${string}`, data: `0x${string}`) => {
  await chain.fund(from)
  await chain.request("anvil_impersonateAccount", [from])
  await chain.request("eth_sendTransaction", [{ from, to: chain.asset, data }])
  await chain.request("evm_mine", [])
}
const call = (
  functionName: "pause" | "unpause" | "blacklist" | "unBlacklist" | "setName",
  ...args: readonly string[]
) => {
  const data = encodeFunctionData({ abi: testUsdc.abi, functionName, args } as never)
  return sendAs(`0x${"7".repeat(40)}`, data)
}
/** Puts the same code behind the proxy at another address, as the admin of Circle's proxy can. */
const upgrade = async () => {
  const next = `0x${"3".repeat(40)}` as const
  await putCode(chain.request, next, testUsdc.bytecode)
  await sendAs(
    assetAdmin,
    encodeFunctionData({ abi: testProxy.abi, functionName: "upgradeTo", args: [next] }),
  )
}
const implementationOfErc1967 = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
const upgradeErc1967 = () =>
  chain.request("anvil_setStorageAt", [chain.asset, implementationOfErc1967, `0x${"3".repeat(64)}`])

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
  {
    name: "signs in another domain",
    alarm: /domain/,
    make: () => call("setName", "USD Coin"),
    undo: () => call("setName", "USDC"),
  },
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

  it.each([
    ["Circle's proxy", upgrade],
    ["a proxy of ERC-1967", upgradeErc1967],
  ])("closes for one reading after an upgrade of %s, and opens at an equal reading", async (_, change) => {
    await change()
    await seen(alarms, /has just been replaced/)
    await opened()
    expect(await eventually(ready, (status) => status === 200)).toBe(200)
  })

  it("keeps existing tokens working while it is closed", async () => {
    const purchase = await preparePurchase(service, await service.customer())
    const { body } = await postToken(service.url, purchase.headers)
    // A payment under way would be suspended, and with it the token.
    await eventually(
      () => postToken(service.url, retryHeaders(purchase)),
      (answer) => answer.body.grant?.settlement.state === "settled",
    )
    await call("pause")
    await seen(alarms, /is paused/)
    expect((await watch(service.url, body.access_token)).status).toBe(200)
    await call("unpause")
    await opened()
  })
})
