import { mkdtemp, rm, symlink, unlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { compileInto } from "../support/bundle.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { runIn } from "../support/command.ts"
import { configInput, sepoliaId, storedIn } from "../support/offers.ts"
import { type RpcProxy, type RpcRequest, startRpcProxy } from "../support/rpc-proxy.ts"
import { eventually, openService, postToken, preparePurchase, type TestService } from "../support/service.ts"

let chain: LocalChain
let proxy: RpcProxy
let service: TestService | undefined
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  proxy = await startRpcProxy(chain.rpcUrl)
})
afterEach(async () => {
  await service?.close()
  service = undefined
  proxy.intercept = undefined
})
afterAll(async () => {
  await proxy.close()
  await chain.stop()
})

const secondsNow = () => Math.floor(Date.now() / 1000)
const readiness = async (url: string) => {
  const answer = await fetch(`${url}/health/ready`)
  return { status: answer.status, body: await answer.json() }
}
const becomes = (url: string, wanted: number) =>
  eventually(
    () => readiness(url),
    ({ status }) => status === wanted,
  )
const buy = async (from: TestService) =>
  postToken(from.url, (await preparePurchase(from, await from.customer())).headers)
/** A contract that is not deployed reads a payment, which some nodes do not allow. */
const isIntakeRead = ({ method, params }: RpcRequest) =>
  method === "eth_call" && (params?.[0] as { to?: string } | undefined)?.to === undefined

/** The answer with the id of each call; several calls share one request. */
function refused(text: string, body: string): string {
  const [asked, answer] = [JSON.parse(text), JSON.parse(body)]
  const answerTo = ({ id }: RpcRequest) => ({ ...answer, id })
  return JSON.stringify(Array.isArray(asked) ? asked.map(answerTo) : answerTo(asked))
}

describe("readiness", () => {
  it("follows whether a node answers the reads of a sale", async () => {
    service = await openService({ chain, rpcUrl: proxy.url })
    proxy.intercept = async ({ asked }, forward) => {
      if (!asked.some(isIntakeRead)) return forward()
      const error = { code: -32601, message: "the method is not available" }
      const body = JSON.stringify({ jsonrpc: "2.0", id: asked[0]?.id, error })
      return { status: 200, body }
    }
    expect(await readiness(service.url)).toEqual({ status: 503, body: { status: "unavailable" } })
    expect(await buy(service)).toMatchObject({ status: 503, body: { reason: "chain_unavailable" } })
    proxy.intercept = undefined
    await becomes(service.url, 200)
    expect((await buy(service)).status).toBe(200)
  })

  const forbidden = { status: 403, body: "forbidden" }
  const missing = (code: number) => ({
    status: 200,
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, error: { code, message: "invalid transaction" } }),
  })
  it.each([
    ["eth_sendRawTransaction", "HTTP 403", forbidden],
    ["eth_sendRawTransaction", "code -32601", missing(-32601)],
    ["eth_estimateGas", "code -32601", missing(-32601)],
    ["eth_getTransactionReceipt", "code -32004", missing(-32004)],
  ])("ends while no node takes %s (%s), and returns when one does", async (method, _answer, refusal) => {
    service = await openService({ chain, rpcUrl: proxy.url })
    proxy.intercept = async ({ asked, text }, forward) => {
      if (!asked.some((each) => each.method === method)) return forward()
      return refusal.status === 200 ? { ...refusal, body: refused(text, refusal.body) } : refusal
    }
    await becomes(service.url, 503)
    proxy.intercept = undefined
    await becomes(service.url, 200)
    expect(Number(await chain.request("eth_getTransactionCount", [service.issuer.relayer, "latest"]))).toBe(0)
  })

  it("leaves a read-only node to answer reads", async () => {
    const notes: string[] = []
    const warn = (_fields: object, message: string) => void notes.push(message)
    const log = { debug() {}, info() {}, warn, error() {} }
    service = await openService({ chain, rpcUrl: proxy.url, issuer: { log } })
    proxy.intercept = async ({ asked }, forward) =>
      asked.some((each) => each.method === "eth_sendRawTransaction") ? forbidden : forward()
    await becomes(service.url, 503)
    expect(notes).not.toContain("a node does not answer and is left alone for a while")
  })

  it("asks the nodes once for any number of probes", async () => {
    service = await openService({ chain, rpcUrl: proxy.url })
    // Only readiness asks with bytes that are no transaction, and nothing is settled here.
    const questions = () => proxy.calls.get("eth_sendRawTransaction") ?? 0
    const before = questions()
    for (let round = 0; round < 5; round++)
      await Promise.all(Array.from({ length: 20 }, () => readiness(service?.url ?? "")))
    expect(questions() - before).toBeLessThanOrEqual(2)
  })

  it("SET-33: shows a clock that is off, and ends where no payment would be accepted", async () => {
    let off = -300
    service = await openService({ chain, issuer: { now: () => secondsNow() + off } })
    await chain.request("evm_mine", [])
    await eventually(
      () => readiness(service?.url ?? ""),
      ({ body }) => body.clock_skew_seconds !== undefined,
    )
    const seen = await readiness(service.url)
    expect(seen.status).toBe(200)
    expect(Math.abs(seen.body.clock_skew_seconds + 300)).toBeLessThan(30)
    off = -3600
    await chain.request("evm_mine", [])
    const lost = await becomes(service.url, 503)
    expect(lost.body).toMatchObject({ status: "unavailable" })
    expect(Math.abs(lost.body.clock_skew_seconds + 3600)).toBeLessThan(30)
    const refused = await buy(service)
    expect(refused).toMatchObject({ status: 400, body: { reason: "validity_too_long" } })
    expect(refused.body.error_description).toMatch(/The clock of this server is 3[56]\d\d s behind the chain/)
  })
})

describe("a bundled server", () => {
  it("without sqlite-thread.js exits with 78 and names it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bundled-"))
    try {
      compileInto(folder, "scripts/ticket402.ts")
      await symlink(join(process.cwd(), "node_modules"), join(folder, "node_modules"))
      await unlink(join(folder, "sqlite-thread.js"))
      const file = join(folder, "config.json")
      const networks = { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } }
      await writeFile(file, JSON.stringify(configInput({ ...storedIn(folder), networks })))
      await writeFile(join(folder, "package.json"), '{ "type": "module" }')
      const { code, stderr } = await runIn(folder, "ticket402.js", ["serve", "--config", file]).ended
      expect({ code, stderr }).toEqual({
        code: 78,
        stderr: expect.stringContaining("found no sqlite-thread.js beside the program"),
      })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
