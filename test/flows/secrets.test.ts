import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import Database from "better-sqlite3"
import { afterAll, beforeAll, expect, it } from "vitest"
import type { PaymentRequirements } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { runCommand } from "../support/command.ts"
import { freePort } from "../support/free-port.ts"
import { readRing } from "../support/key-folder.ts"
import { configInput, sepoliaId, storedIn } from "../support/offers.ts"
import { type Account, randomAccount } from "../support/payments.ts"
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import { eventually, preparePurchase, retryHeaders } from "../support/service.ts"

const rpcSecret = "canary-rpc-0123456789abcdef"
const idempotencyKey = "canary-idempotency-0123456789"
const root = fileURLToPath(new URL("../..", import.meta.url))

let chain: LocalChain
let proxy: RpcProxy
let folder: string
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  proxy = await startRpcProxy(chain.rpcUrl)
  folder = await mkdtemp(join(tmpdir(), "canary-folder-"))
})
afterAll(async () => {
  await proxy.close()
  await chain.stop()
  await rm(folder, { recursive: true, force: true })
})

it("KEY-02: log lines and refusals contain no secret, RPC URL or path", async () => {
  const port = await freePort()
  const file = join(folder, "config.json")
  const config = configInput({
    issuer: `http://127.0.0.1:${port}`,
    listen: `127.0.0.1:${port}`,
    ...storedIn(folder),
    networks: { [sepoliaId]: { rpcUrls: [`${proxy.url}/v2/${rpcSecret}`] } },
    logLevel: "debug",
  })
  await writeFile(file, JSON.stringify(config))
  const command = runCommand("scripts/ticket402.ts", ["serve", "--config", file, "--example"])
  const { listening: url, relayer } = JSON.parse(await command.firstLine())
  await chain.fund(relayer)

  /** Secrets that may appear in no log line and only in the answer that issues them. */
  const secrets = new Map<string, string>()
  const refusals: string[] = []
  const statuses: number[] = []
  const hex = (text: string) => text.replace(/^0x/, "")

  async function ask(path: string, init: RequestInit = {}) {
    const response = await fetch(`${url}${path}`, init)
    const text = await response.text()
    statuses.push(response.status)
    const answerText = `${JSON.stringify([...response.headers])}${text}`
    if (response.status >= 400) refusals.push(answerText)
    // biome-ignore lint/suspicious/noExplicitAny: bodies are looked into freely in tests
    const body: any = text.startsWith("{") ? JSON.parse(text) : {}
    if (body.access_token) {
      secrets.set(`access token ${secrets.size}`, body.access_token)
      secrets.set(`signature of token ${secrets.size}`, body.access_token.split(".")[2])
    }
    if (body.refresh_token) secrets.set(`refresh token ${secrets.size}`, body.refresh_token)
    return { status: response.status, body }
  }
  const post = (headers: Record<string, string>, body?: string) =>
    ask("/token", { method: "POST", headers, ...(body !== undefined && { body }) })
  const form = { "content-type": "application/x-www-form-urlencoded" }
  const refresh = (token: string) =>
    post(form, new URLSearchParams({ grant_type: "refresh_token", refresh_token: token }).toString())

  await eventually(
    () => fetch(`${url}/health/ready`),
    ({ status }) => status === 200,
  )
  const quote = await (await fetch(`${url}/token`, { method: "POST" })).json()
  const accepted = (quote as { accepts: PaymentRequirements[] }).accepts[0]!
  async function prepare(account: Account = randomAccount()) {
    await chain.mint(account.address, 1_000_000n)
    const purchase = await preparePurchase({ accepted, url }, account)
    secrets.set(`secret ${secrets.size}`, hex(purchase.secret))
    secrets.set(`payment signature ${secrets.size}`, hex(purchase.transfer.signature).slice(0, 128))
    secrets.set(`payment header ${secrets.size}`, Object.values(purchase.headers)[0]!)
    return purchase
  }

  // Bought, used, refreshed, retried, replayed.
  const purchase = await prepare()
  const forgedToken = "canary-token-0123456789abcdef"
  secrets.set("token in a header of its own", forgedToken)
  const bought = await post({ ...purchase.headers, "Idempotency-Key": idempotencyKey })
  expect(bought.status).toBe(200)
  await ask("/movies/1", { headers: { authorization: `Bearer ${bought.body.access_token}` } })
  for (const form of ["envoy", "refusal"])
    for (const shown of [bought.body.access_token, forgedToken])
      await ask(`/gate/token-header/${form}/movies:read/movies/1`, {
        headers: { "ticket402-token": `Bearer ${shown}` },
      })
  const renewed = await refresh(bought.body.refresh_token)
  expect(renewed.status).toBe(200)
  expect((await post(retryHeaders(purchase))).status).toBe(200)
  expect((await post(purchase.headers)).status).toBe(409)
  expect((await refresh(renewed.body.refresh_token)).status).toBe(200)
  expect((await refresh(bought.body.refresh_token)).status).toBe(400)

  // Refused for the signature, the form, the route.
  const forged = await prepare()
  expect((await post({ ...forged.headers, ...purchase.headers })).status).toBe(409)
  const inner = forged.payload.payload as Record<string, unknown>
  const payment = { ...forged.payload, payload: { ...inner, signature: purchase.transfer.signature } }
  const json = { "content-type": "application/json" }
  const grant = "urn:ticket402:payment"
  expect((await post(json, JSON.stringify({ grant_type: grant, payment }))).status).toBe(400)
  expect((await post(json, `{"grant_type":"${forged.secret}`)).status).toBe(400)
  expect((await ask("/movies/%c0")).status).toBe(400)
  expect((await ask("/nowhere")).status).toBe(404)
  expect((await ask("/movies/1", { headers: { authorization: `Bearer ${forged.secret}` } })).status).toBe(401)

  // The node is unreachable, false or loses answers during a settlement.
  proxy.fault = { kind: "lose-answer", method: "eth_sendRawTransaction" }
  expect((await post((await prepare()).headers)).status).toBe(200)
  proxy.fault = { kind: "down" }
  expect((await post((await prepare()).headers)).status).toBe(503)
  proxy.fault = { kind: "lie", method: "eth_call", change: () => `0x${rpcSecret}` }
  expect((await post((await prepare()).headers)).status).toBe(503)
  proxy.fault = undefined

  // Another process holds the database.
  const late = await prepare()
  const holder = new Database(join(folder, "ticket402.db"))
  holder.exec("BEGIN IMMEDIATE")
  expect((await post(late.headers)).status).toBe(503)
  holder.exec("ROLLBACK")
  holder.close()
  expect((await post(late.headers)).status).toBe(200)

  command.kill("SIGTERM")
  const { code, stdout, stderr } = await command.ended
  expect(code).toBe(0)

  secrets.set("relayer key", hex((await readFile(join(folder, "relayer.key"), "utf8")).trim()))
  const ring = await readRing(join(folder, "keys"))
  for (const { id, jwk } of ring.access) secrets.set(`access key ${id}`, jwk.d ?? "")
  for (const { id, secret } of ring.refresh) secrets.set(`refresh key ${id}`, secret)
  for (const { id, secret } of ring.quote) secrets.set(`quote key ${id}`, secret)
  secrets.set("RPC URL", rpcSecret)
  secrets.set("RPC host", new URL(proxy.url).host)
  secrets.set("Idempotency-Key", idempotencyKey)
  secrets.set("folder", "canary-folder-")
  secrets.set("path of the software", root)
  secrets.set("a dependency's path", "node_modules/")
  expect(secrets.size).toBeGreaterThan(30)
  expect(stderr.split("\n").length).toBeGreaterThan(20)
  expect(stderr).toContain("the chain is away")
  expect(stderr).toContain("the store is away")
  expect(new Set(statuses)).toEqual(new Set([200, 400, 401, 404, 409, 503]))
  const lines = `${stdout}\n${stderr}\n${refusals.join("\n")}`
  const found = [...secrets].filter(([, secret]) => lines.toLowerCase().includes(secret.toLowerCase()))
  expect(found.map(([name, secret]) => `${name}: ${secret.slice(0, 40)}`)).toEqual([])
}, 90_000)
