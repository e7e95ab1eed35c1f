import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest"
import { createIssuer } from "../../server/app/issuer.ts"
import { createEvmChain } from "../../server/chains/evm.ts"
import { createRelayer } from "../../server/chains/relayer.ts"
import { initChain } from "../../server/commands/init-chain.ts"
import { settlerDeployment } from "../../server/core/batch.ts"
import { settlerAddress } from "../../server/core/settler.ts"
import { openRelayerKey } from "../../server/keys/index.ts"
import { openStore } from "../../server/stores/index.ts"
import { sepolia } from "../../shared/networks/sepolia.ts"
import { lowerAddress } from "../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { runCommand } from "../support/command.ts"
import { configInput, sepoliaId, storedIn } from "../support/offers.ts"
import { eventually } from "../support/service.ts"

let node: LocalChain
let folder: string
let config: string
let relayer: `0x${string}`
let printed: object[]
let warned: string[]
beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0, aggregators: [] })
})
afterAll(() => node?.stop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "init-chain-"))
  config = join(folder, "config.json")
  await writeFile(config, JSON.stringify(input()))
  const { privateKey } = await openRelayerKey(join(folder, "relayer.key"))
  relayer = createRelayer(privateKey).address
  const snapshot = await node.request("evm_snapshot")
  printed = []
  warned = []
  return async () => {
    await node.request("evm_revert", [snapshot])
    await rm(folder, { recursive: true, force: true })
  }
})

const input = (rpcUrl = node.rpcUrl) =>
  configInput({
    ...storedIn(folder),
    networks: { [sepoliaId]: { rpcUrls: [rpcUrl] } },
    logLevel: "silent",
  })
const init = (options: { network?: string } = {}, patienceSeconds = 20) =>
  initChain(
    { config, ...options },
    {
      environment: {},
      print: (line) => printed.push(JSON.parse(line)),
      warn: (line) => warned.push(line),
      patienceSeconds,
    },
  )
const hasSettler = () =>
  createEvmChain({ network: sepolia, assets: [], rpcUrls: [node.rpcUrl] }).hasCode(settlerAddress)

it("init-chain deploys the Settler once and prints the transaction", async () => {
  await node.fund(relayer)
  const first = await runCommand("scripts/ticket402.ts", ["init-chain", "-c", config]).ended
  expect(first).toMatchObject({ code: 0, stderr: "" })
  const line = JSON.parse(first.stdout)
  expect(line).toEqual({
    network: sepoliaId,
    settler: settlerAddress,
    deployed: true,
    transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
  })
  const receipt = (await node.request("eth_getTransactionReceipt", [line.transaction])) as Record<
    string,
    string
  >
  expect(receipt).toMatchObject({ status: "0x1", from: lowerAddress(relayer), to: settlerDeployment.to })
  expect(await hasSettler()).toBe(true)
  expect(await init({ network: sepoliaId })).toBe(0)
  expect(printed).toEqual([{ network: sepoliaId, settler: settlerAddress, deployed: false }])
  // The nonce is counted, and no transaction is left to the service.
  const store = await openStore(input().database ?? "")
  const { fence } = (await store.lease({ holder: "test", seconds: 5, now: 2_000_000_000 }))!
  const at = { fence, network: sepoliaId, relayer: lowerAddress(relayer) }
  expect(await store.inFlight(at)).toEqual([])
  expect(await store.nextNonce({ ...at, chainNonce: 0 })).toMatchObject({ nonce: 1 })
  await store.close()
})

it("init-chain names missing gas, a missing deployer and an unreachable node", async () => {
  expect(await init()).toBe(1)
  expect(warned.splice(0)).toEqual([
    expect.stringMatching(
      new RegExp(`${sepoliaId}: the relayer ${relayer} has 0 wei of gas money, wanted [0-9]+$`),
    ),
  ])
  await node.fund(relayer)
  const deployer = await node.request("eth_getCode", [settlerDeployment.to, "latest"])
  await node.request("anvil_setCode", [settlerDeployment.to, "0x"])
  expect(await init()).toBe(1)
  expect(warned.splice(0)).toEqual([expect.stringContaining("there is no CREATE2 deployer at 0x4e59")])
  await node.request("anvil_setCode", [settlerDeployment.to, deployer])
  await writeFile(config, JSON.stringify(input("http://127.0.0.1:9/secret")))
  expect(await init()).toBe(1)
  expect(warned).toEqual([expect.stringMatching(/no node answered/)])
  expect(warned.join()).not.toContain("secret")
  expect(printed).toEqual([])
})

it("init-chain refuses an invalid configuration and an unknown network", async () => {
  expect(await init({ network: "eip155:1" })).toBe(78)
  expect(warned.splice(0)).toEqual([expect.stringContaining("--network: eip155:1 is not configured")])
  await writeFile(config, "{}")
  expect(await init()).toBe(78)
  expect(warned.length).toBeGreaterThan(0)
})

it("init-chain does not repeat a deployment that is not mined yet", async () => {
  await node.fund(relayer)
  await node.request("evm_setAutomine", [false])
  expect(await init({}, 0)).toBe(1)
  expect(warned).toEqual([expect.stringContaining("run this again later")])
  await node.request("evm_mine")
  await node.request("evm_setAutomine", [true])
  expect(await init()).toBe(0)
  expect(printed).toMatchObject([{ deployed: expect.any(Boolean) }])
  expect(await node.request("eth_getTransactionCount", [relayer, "latest"])).toBe("0x1")
})

it("init-chain renews an expired lease and ends when another process holds it", async () => {
  await node.fund(relayer)
  await node.request("evm_setAutomine", [false])
  const ended = init()
  await eventually(
    () => node.request("eth_getTransactionCount", [relayer, "pending"]),
    (count) => count === "0x1",
  )
  const books = new Sqlite(join(folder, "ticket402.db"))
  const fence = () => books.prepare("SELECT fence FROM lease").pluck().get()
  books.exec("UPDATE lease SET expires_at = 0")
  await eventually(
    async () => fence(),
    (found) => found === 2,
  )
  books.exec("UPDATE lease SET holder = 'a service', fence = 3, expires_at = granted_at + 60")
  expect(await ended).toBe(1)
  expect(warned).toEqual([expect.stringContaining("a service settles from this database")])
  expect(fence()).toBe(3)
  books.close()
  await node.request("evm_setAutomine", [true])
})

it("init-chain uses no nonce of a relayer while a service settles", async () => {
  await node.fund(relayer)
  const logged: string[] = []
  const warn = (_fields: object, message: string) => void logged.push(message)
  const log = { debug() {}, info() {}, warn, error: warn }
  const issuer = await createIssuer(input(), { log })
  try {
    // The warning of serve at start on a network without the Settler.
    expect(logged).toContainEqual(expect.stringContaining("`ticket402 init-chain` deploys it"))
    await eventually(
      () => init(),
      () => warned.some((line) => line.includes("a service settles from this database")),
    )
    expect(await hasSettler()).toBe(false)
  } finally {
    await issuer.close()
  }
})
