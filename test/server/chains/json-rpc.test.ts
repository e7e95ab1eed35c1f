import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { setImmediate as nextTurn } from "node:timers/promises"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type Connection, HttpFailed, openConnection } from "../../../server/chains/http-post.ts"
import {
  createRpcClient,
  MalformedAnswer,
  type RpcClient,
  RpcError,
} from "../../../server/chains/json-rpc.ts"

type Asked = { readonly id: number; readonly method: string; readonly params: readonly unknown[] }
/** The answer to one HTTP request; undefined: it is never answered. */
type Node = (asked: Asked | readonly Asked[]) => { status?: number; body: unknown } | undefined

const echo = (call: Asked) => ({ jsonrpc: "2.0", id: call.id, result: call.params[0] })
const wellBehaved: Node = (asked) => ({
  body: "length" in asked ? asked.toReversed().map(echo) : echo(asked),
})

let node: Node
let requests: (Asked | readonly Asked[])[]
let connection: Connection
let client: RpcClient
let close: () => Promise<void>
beforeEach(async () => {
  node = wellBehaved
  requests = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const asked = JSON.parse(Buffer.concat(parts).toString()) as Asked
    requests.push(asked)
    const answer = node(asked)
    if (!answer) return void response.write("[")
    response.statusCode = answer.status ?? 200
    response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  connection = openConnection({ address, timeoutMs: 500 })
  client = createRpcClient(connection.post, async () => {})
  close = async () => {
    connection.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})
afterEach(() => close())

const call = (value: unknown, method = "eth_call") => client.request(method, [value])
const callMany = (count: number, method?: string) =>
  Promise.all(Array.from({ length: count }, (_, at) => call(at, method)))
const sizes = () => requests.map((asked) => ("length" in asked ? asked.length : 1))

describe("calls to a node", () => {
  it("share one request when they come together, and each gets its own answer", async () => {
    expect(await callMany(5)).toEqual([0, 1, 2, 3, 4])
    expect(sizes()).toEqual([5])
  })

  it("share requests of a bounded length", async () => {
    expect(await callMany(100)).toHaveLength(100)
    expect(sizes()).toEqual([20, 20, 20, 20, 20])
  })

  it("are not held up by a search for logs", async () => {
    await Promise.all([call(1), call(2), call(3, "eth_getLogs")])
    expect(sizes().toSorted()).toEqual([1, 2])
  })

  it.each<[string, Node]>([
    [
      "one error",
      (asked) =>
        "length" in asked ? { body: { error: { code: -32600, message: "" } } } : wellBehaved(asked),
    ],
    ["HTTP 400", (asked) => ("length" in asked ? { status: 400, body: "no" } : wellBehaved(asked))],
    ["HTTP 413", (asked) => ("length" in asked ? { status: 413, body: "" } : wellBehaved(asked))],
  ])("are sent one by one to a node that answers a shared request with %s", async (_, answer) => {
    node = answer
    expect(await callMany(3)).toEqual([0, 1, 2])
    expect(sizes()).toEqual([3, 1, 1, 1])
    await nextTurn()
    expect(await callMany(3)).toEqual([0, 1, 2])
    expect(sizes().slice(4)).toEqual([1, 1, 1])
  })

  it("share requests again after a failure that was not about sharing", async () => {
    node = () => ({ status: 413, body: "" })
    const failed = await Promise.allSettled([call(1), call(2)])
    expect(failed.map((each) => each.status === "rejected" && each.reason)).toEqual([
      expect.any(HttpFailed),
      expect.any(HttpFailed),
    ])
    node = wellBehaved
    await nextTurn()
    await callMany(2)
    expect(sizes()).toEqual([2, 1, 1, 2])
  })

  it("each get their own error", async () => {
    node = (asked) => ({
      body: [asked]
        .flat()
        .map((each) =>
          each.params[0] === 1 ? { id: each.id, error: { code: 3, message: "reverted" } } : echo(each),
        ),
    })
    const [zero, one, two] = await Promise.allSettled([call(0), call(1), call(2)])
    expect([zero, two]).toEqual([
      { status: "fulfilled", value: 0 },
      { status: "fulfilled", value: 2 },
    ])
    expect(one).toMatchObject({ reason: expect.any(RpcError) })
    expect(one).toMatchObject({ reason: { code: 3 } })
  })

  it("fail where a shared answer lacks theirs", async () => {
    node = (asked) => ({ body: [asked].flat().slice(1).map(echo) })
    const [first, second] = await Promise.allSettled([call(0), call(1)])
    expect(first).toMatchObject({ reason: expect.any(MalformedAnswer) })
    expect(second).toEqual({ status: "fulfilled", value: 1 })
  })

  it("fail together while the node is down", async () => {
    node = () => ({ status: 503, body: "unavailable" })
    const failed = await Promise.allSettled([call(0), call(1)])
    for (const each of failed) expect(each).toMatchObject({ reason: { name: "HttpFailed", status: 503 } })
    expect(sizes()).toEqual([2])
  })

  it("take an error that comes with another status for an answer", async () => {
    node = () => ({ status: 400, body: { id: 1, error: { code: -32000, message: "nonce too low" } } })
    await expect(call(0)).rejects.toMatchObject({ name: "RpcError", code: -32000 })
  })
})

describe("a request to a node", () => {
  it("fails when the answer does not end in time", async () => {
    node = () => undefined
    await expect(call(0)).rejects.toMatchObject({ name: "HttpFailed", status: undefined })
  })

  it("fails when the answer is too long to be one", async () => {
    node = () => ({ body: "x".repeat(11 * 1024 * 1024) })
    await expect(call(0)).rejects.toMatchObject({ name: "HttpFailed", status: undefined })
  })

  it("fails when the answer is not JSON", async () => {
    node = () => ({ body: "<html>" })
    await expect(call(0)).rejects.toMatchObject({ name: "HttpFailed", status: 200 })
  })

  it("fails at once when the connection is closed", async () => {
    node = () => {
      setImmediate(connection.close)
      return undefined
    }
    await expect(call(0)).rejects.toMatchObject({ cause: { code: "ECONNRESET" } })
  })

  it("names no address in its failure", async () => {
    const address = "http://127.0.0.1:9/secret-key"
    const failure = await openConnection({ address, timeoutMs: 500 })
      .post("{}")
      .catch((error: Error) => error)
    expect(String(failure)).toBe("HttpFailed: a node gave no answer")
  })
})
