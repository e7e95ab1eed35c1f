/** A JSON-RPC proxy between the service and its node that can fail in the ways nodes do. */
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"

export type RpcFault =
  /** Answers every request with HTTP 503. */
  | { kind: "down" }
  /** Answers a method only when the promise is kept. */
  | { kind: "hold"; method: string; until: Promise<void> }
  /** Does what was asked, then loses the answer. */
  | { kind: "lose-answer"; method: string }
  /** Changes the result of a method, or of those that match, before it is handed on. */
  | { kind: "lie"; method: string | RegExp; change: (result: unknown, params: unknown[]) => unknown }

export type RpcProxy = {
  readonly url: string
  /** How often each method was asked for. */
  readonly calls: Map<string, number>
  fault: RpcFault | undefined
  close(): Promise<void>
}

type RpcRequest = { id: unknown; method: string; params?: unknown[] }

export async function startRpcProxy(target: string): Promise<RpcProxy> {
  const calls = new Map<string, number>()
  const server = createServer((request, response) => {
    forward(request).then(
      ({ status, body }) => {
        if (body === undefined) response.destroy()
        else response.writeHead(status, { "content-type": "application/json" }).end(body)
      },
      () => response.destroy(),
    )
  })

  async function forward(request: IncomingMessage): Promise<{ status: number; body?: string }> {
    const text = await readAll(request)
    const parsed: RpcRequest | RpcRequest[] = JSON.parse(text)
    const asked = Array.isArray(parsed) ? parsed : [parsed]
    for (const { method } of asked) calls.set(method, (calls.get(method) ?? 0) + 1)
    const { fault } = proxy
    if (fault?.kind === "down") return { status: 503, body: "unavailable" }
    if (fault?.kind === "hold" && asked.some(({ method }) => method === fault.method)) await fault.until
    const answer = await fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: text,
    })
    const body = await answer.text()
    if (fault?.kind === "lose-answer" && asked.some(({ method }) => method === fault.method))
      return { status: 200 }
    if (fault?.kind !== "lie") return { status: answer.status, body }
    const results: { id: unknown; result?: unknown }[] = [JSON.parse(body)].flat()
    for (const result of results) {
      const question = asked.find(({ id, method }) => id === result.id && isOf(method, fault.method))
      if (question && "result" in result) result.result = fault.change(result.result, question.params ?? [])
    }
    return { status: answer.status, body: JSON.stringify(Array.isArray(parsed) ? results : results[0]) }
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const proxy: RpcProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    fault: undefined,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return proxy
}

const isOf = (method: string, wanted: string | RegExp): boolean =>
  typeof wanted === "string" ? method === wanted : wanted.test(method)

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("utf8")
}
