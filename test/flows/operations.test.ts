import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { mnemonicToAccount } from "viem/accounts"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { createIssuer } from "../../server/app/issuer.ts"
import { isWellKnown } from "../../server/chains/well-known.ts"
import type { ConfigInput } from "../../server/config/config.ts"
import type { PaymentRequirements } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { type Command, runCommand } from "../support/command.ts"
import { freePort } from "../support/free-port.ts"
import { configInput, sepoliaId, storedIn } from "../support/offers.ts"
import { randomAccount } from "../support/payments.ts"
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import { type Answer, eventually, openService, postToken, preparePurchase } from "../support/service.ts"

let chain: LocalChain
let proxy: RpcProxy
let folder: string
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  proxy = await startRpcProxy(chain.rpcUrl)
  folder = await mkdtemp(join(tmpdir(), "operations-"))
})
afterEach(() => {
  proxy.fault = undefined
})
afterAll(async () => {
  await proxy.close()
  await chain.stop()
  await rm(folder, { recursive: true, force: true })
})

async function configOf(name: string, changes: Partial<ConfigInput> = {}): Promise<ConfigInput> {
  const port = await freePort()
  return configInput({
    issuer: `http://127.0.0.1:${port}`,
    listen: `127.0.0.1:${port}`,
    ...storedIn(join(folder, name)),
    networks: { [sepoliaId]: { rpcUrls: [proxy.url] } },
    logLevel: "info",
    ...changes,
  })
}
async function fileOf(name: string, changes: Partial<ConfigInput> = {}): Promise<string> {
  const file = join(folder, `${name}.json`)
  await writeFile(file, JSON.stringify(await configOf(name, changes)))
  return file
}
const start = async (command: Command): Promise<{ listening: string; relayer: `0x${string}` }> =>
  JSON.parse(await command.firstLine())
const health = async (url: string) => {
  const [live, ready] = await Promise.all(["live", "ready"].map((name) => fetch(`${url}/health/${name}`)))
  return [live?.status, ready?.status]
}

describe("health", () => {
  it("is ready only while store, chain and gas allow a sale", async () => {
    const service = await openService({ chain, rpcUrl: proxy.url })
    expect(await health(service.url)).toEqual([200, 200])
    const answer = await fetch(`${service.url}/health/ready`)
    expect(await answer.text()).toBe('{"status":"ok"}')
    expect(answer.headers.get("cache-control")).toBe("no-store")
    expect((await fetch(`${service.url}/health/ready`, { method: "POST" })).status).toBe(405)
    service.issuer.drain()
    expect(await health(service.url)).toEqual([200, 503])
    expect((await postToken(service.url, {})).body.reason).toBe("shutting_down")
    await service.close()
  })

  it("is not ready without gas or node, and reveals no cause", async () => {
    let now = Math.floor(Date.now() / 1000)
    const service = await openService({ chain, rpcUrl: proxy.url, issuer: { now: () => now } })
    await chain.fund(service.issuer.relayer, 0n)
    expect(await health(service.url)).toEqual([200, 503])
    await chain.fund(service.issuer.relayer)
    now += 1
    expect(await health(service.url)).toEqual([200, 200])
    proxy.fault = { kind: "down" }
    now += 31
    await eventually(
      () => health(service.url),
      ([, ready]) => ready === 503,
    )
    expect(await (await fetch(`${service.url}/health/ready`)).text()).toBe('{"status":"unavailable"}')
    proxy.fault = undefined
    await eventually(
      () => health(service.url),
      ([, ready]) => ready === 200,
    )
    await service.close()
  })
})

describe("shutdown", () => {
  it("after SIGTERM answers every running request, refuses new ones and exits with 0", async () => {
    const command = runCommand("scripts/ticket402.ts", ["serve", "--config", await fileOf("drain")])
    const { listening, relayer } = await start(command)
    await chain.fund(relayer)
    await eventually(
      () => health(listening),
      ([, ready]) => ready === 200,
    )
    const quote = await (await fetch(`${listening}/token`, { method: "POST" })).json()
    const accepted = (quote as { accepts: PaymentRequirements[] }).accepts[0]!
    const purchases = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const account = randomAccount()
        await chain.mint(account.address, 1_000_000n)
        return preparePurchase({ accepted, url: listening }, account)
      }),
    )
    let release = () => {}
    const until = new Promise<void>((resolve) => {
      release = resolve
    })
    const before = proxy.calls.get("eth_call") ?? 0
    proxy.fault = { kind: "hold", method: "eth_call", until }
    const answers: Promise<Answer>[] = purchases.map(({ headers }) => postToken(listening, headers))
    await eventually(
      async () => (proxy.calls.get("eth_call") ?? 0) - before,
      (calls) => calls > 0,
    )
    // Its connection is younger than theirs, so all purchases are under way when it is answered.
    await health(listening)
    command.kill("SIGTERM")
    await eventually(
      () =>
        fetch(`${listening}/health/live`).then(
          () => "accepted",
          () => "refused",
        ),
      (outcome) => outcome === "refused",
    )
    release()
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(purchases.map(() => 200))
    const { code, stderr } = await command.ended
    expect(code, stderr).toBe(0)
    // Checkpointed and closed: all data is in the one file.
    expect((await readdir(join(folder, "drain"))).filter((name) => /-wal|-shm/.test(name))).toEqual([])
  }, 60_000)

  it("after a second signal exits at once", async () => {
    const command = runCommand("scripts/ticket402.ts", ["serve", "--config", await fileOf("twice")])
    const { listening, relayer } = await start(command)
    await chain.fund(relayer)
    await eventually(
      () => health(listening),
      ([, ready]) => ready === 200,
    )
    const quote = await (await fetch(`${listening}/token`, { method: "POST" })).json()
    const accepted = (quote as { accepts: PaymentRequirements[] }).accepts[0]!
    const before = proxy.calls.get("eth_call") ?? 0
    proxy.fault = { kind: "hold", method: "eth_call", until: new Promise(() => {}) }
    const purchase = await preparePurchase({ accepted, url: listening }, randomAccount())
    const answer = postToken(listening, purchase.headers).catch(() => "cut")
    await eventually(
      async () => (proxy.calls.get("eth_call") ?? 0) - before,
      (calls) => calls >= 1,
    )
    command.kill("SIGTERM")
    await eventually(
      () =>
        fetch(`${listening}/health/live`).then(
          () => "accepted",
          () => "refused",
        ),
      (outcome) => outcome === "refused",
    )
    command.kill("SIGTERM")
    expect((await command.ended).code).toBe(1)
    expect(await answer).toBe("cut")
  }, 60_000)

  it("after a bug logs one line and exits with 1", async () => {
    for (const kind of ["throw", "reject"]) {
      const command = runCommand("test/support/faulty-serve.ts", [await fileOf(`bug-${kind}`), kind])
      await start(command)
      command.kill("SIGUSR2")
      const { code, stderr } = await command.ended
      expect(code, kind).toBe(1)
      const lines = stderr
        .trim()
        .split("\n")
        .filter((line) => line.includes("nobody expected this"))
      expect(lines, stderr).toHaveLength(1)
      expect(JSON.parse(lines[0]!)).toMatchObject({ level: 50, msg: "ended by a bug" })
    }
  }, 60_000)
})

describe("secrets at start", () => {
  const junk = "test test test test test test test test test test test junk"

  it("KEY-04: include the public accounts of anvil and hardhat", () => {
    for (let index = 0; index < 10; index++)
      expect(isWellKnown(mnemonicToAccount(junk, { addressIndex: index }).address)).toBe(true)
    expect(isWellKnown(randomAccount().address)).toBe(false)
  })

  it("KEY-04: refuse public test accounts unless the node is a development node", async () => {
    const account = mnemonicToAccount(junk)
    const key = join(folder, "public.key")
    await writeFile(key, `0x${Buffer.from(account.getHdKey().privateKey!).toString("hex")}`, { mode: 0o600 })
    const cases: [string, Partial<ConfigInput>][] = [
      ["payTo", { payTo: account.address }],
      ["relayer.privateKeyFile", { relayer: { privateKeyFile: key } }],
    ]
    const another = { kind: "lie", method: "web3_clientVersion", change: () => "Geth/v1.15.0" } as const
    for (const [name, changes] of cases) {
      const config = await configOf(`public-${name}`, { ...changes, logLevel: "silent" })
      for (const fault of [another, { kind: "down" } as const]) {
        proxy.fault = fault
        await expect(createIssuer(config), `${name} ${fault.kind}`).rejects.toMatchObject({
          name: "ConfigError",
          problems: [expect.stringContaining(`${name}: found a test account`)],
        })
      }
      proxy.fault = undefined
      await (await createIssuer(config)).close()
    }
    proxy.fault = another
    const { code, stderr } = await runCommand("scripts/ticket402.ts", [
      "serve",
      "--config",
      await fileOf("public", { payTo: account.address }),
    ]).ended
    expect(code, stderr).toBe(78)
  }, 60_000)

  it("KEY-04: refuse a key of zeros, out of range or of low entropy, unprinted", async () => {
    for (const [at, digits] of [
      "00".repeat(32),
      "ff".repeat(32),
      `${"00".repeat(31)}01`,
      "ab".repeat(32),
    ].entries()) {
      const key = join(folder, `weak-${at}.key`)
      await writeFile(key, digits, { mode: 0o600 })
      const config = await configOf(`weak-${at}`, { relayer: { privateKeyFile: key }, logLevel: "silent" })
      const error = await createIssuer(config).catch((failure: unknown) => failure)
      expect(error).toMatchObject({ name: "KeyFileError" })
      expect(String(error)).not.toContain(digits)
    }
  })

  it("KEY-01: database, WAL, shared memory and keys are readable by the owner only", async () => {
    const service = await openService({ chain })
    await postToken(service.url, (await preparePurchase(service, await service.customer())).headers)
    const files = ["ticket402.db", "ticket402.db-wal", "ticket402.db-shm", "relayer.key"]
    files.push(...(await readdir(join(service.folder, "keys"))).map((name) => join("keys", name)))
    expect(files).toHaveLength(5)
    for (const file of files) expect((await stat(join(service.folder, file))).mode & 0o777, file).toBe(0o600)
    expect((await stat(join(service.folder, "keys"))).mode & 0o777).toBe(0o700)
    await service.close()
  })
})
