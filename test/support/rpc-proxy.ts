/** A JSON-RPC proxy between the service and its node, which can fail as nodes do. */
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo, Socket } from "node:net"

export type RpcFault =
  /** Answers every request with HTTP 503. */
  | { kind: "down" }
  /** Answers a method only when the promise is kept. */
  | { kind: "hold"; method: string; until: Promise<void> }
  /** Does what was asked, then loses the answer. */
  | { kind: "lose-answer"; method: string }
  /** Changes the result of a method, or of those that match, before it is handed on. */
  | { kind: "lie"; method: string | RegExp; change: (result: unknown, params: unknown[]) => unknown }

/** One HTTP request of the service, which may contain several calls. */
export type RpcCall = {
  readonly asked: readonly RpcRequest[]
  readonly text: string
}

/** The answer to the service, or a connection that ends before the answer or, by `partly`, within it. */
export type RpcReply =
  | { readonly status: number; readonly body: string; readonly partly?: true }
  | { readonly cut: "closed" | "reset" }

/** Sends a request to the node; default: the request of the service. */
export type Forward = (text?: string) => Promise<{ status: number; body: string }>

/** Replaces the answer to a call. */
export type Intercept = (call: RpcCall, forward: Forward) => Promise<RpcReply>

export type RpcProxy = {
  readonly url: string
  /** Number of requests for each method. */
  readonly calls: Map<string, number>
  fault: RpcFault | undefined
  /** Handles every call instead of `fault`. */
  intercept: Intercept | undefined
  close(): Promise<void>
}

export type RpcRequest = { readonly id: unknown; readonly method: string; readonly params?: unknown[] }

export async function startRpcProxy(target: string): Promise<RpcProxy> {
  const calls = new Map<string, number>()
  const server = createServer((request, response) => {
    answer(request).then(
      (reply) => {
        if ("cut" in reply) return void cut(response.socket, reply.cut)
        response.writeHead(reply.status, {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(reply.body),
        })
        if (!reply.partly) return void response.end(reply.body)
        response.write(reply.body.slice(0, reply.body.length / 2), () => response.destroy())
      },
      () => response.destroy(),
    )
  })

  async function answer(request: IncomingMessage): Promise<RpcReply> {
    const text = await readAll(request)
    const asked = [JSON.parse(text)].flat() as RpcRequest[]
    for (const { method } of asked) calls.set(method, (calls.get(method) ?? 0) + 1)
    const forward: Forward = (changed = text) => ask(target, changed)
    if (proxy.intercept) return proxy.intercept({ asked, text }, forward)
    return proxy.fault ? fail(proxy.fault, { asked, text }, forward) : forward()
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const proxy: RpcProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    fault: undefined,
    intercept: undefined,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return proxy
}

const isOf = (method: string, target: string | RegExp): boolean =>
  typeof target === "string" ? method === target : target.test(method)

async function fail(fault: RpcFault, call: RpcCall, forward: Forward): Promise<RpcReply> {
  if (fault.kind === "down") return { status: 503, body: "unavailable" }
  const isTargeted = call.asked.some(({ method }) => isOf(method, fault.method))
  if (fault.kind === "hold" && isTargeted) await fault.until
  if (fault.kind === "lie") return lie(call, fault.method, fault.change, forward)
  const reply = await forward()
  return fault.kind === "lose-answer" && isTargeted ? { cut: "closed" } : reply
}

/** The node's answer with the results of one method changed. */
export async function lie(
  { asked, text }: RpcCall,
  target: string | RegExp,
  change: (result: unknown, params: unknown[]) => unknown,
  forward: Forward,
): Promise<RpcReply> {
  const { status, body } = await forward()
  const parsed: unknown = JSON.parse(body)
  const results = [parsed].flat() as { id: unknown; result?: unknown }[]
  for (const result of results) {
    const question = asked.find(({ id, method }) => id === result.id && isOf(method, target))
    if (question && "result" in result) result.result = change(result.result, question.params ?? [])
  }
  return { status, body: JSON.stringify(text.trimStart().startsWith("[") ? results : results[0]) }
}

/** Sends a request to a node directly. */
export async function ask(target: string, text: string): Promise<{ status: number; body: string }> {
  const answer = await fetch(target, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: text,
  })
  return { status: answer.status, body: await answer.text() }
}

function cut(socket: Socket | null, how: "closed" | "reset"): void {
  if (how === "reset") socket?.resetAndDestroy()
  else socket?.destroy()
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("utf8")
}
