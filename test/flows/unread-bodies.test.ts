/** Answers that come before the end of the request's body, over raw sockets. */
import type { Server } from "node:http"
import { connect, type Socket } from "node:net"
import { setImmediate as turn } from "node:timers/promises"
import express from "express"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { authorizationServer, gate, hardenServer } from "../../server/adapters/express.ts"
import { webRequest } from "../../server/adapters/web-request.ts"
import { listen } from "../support/listen.ts"
import { statusesOf } from "../support/raw-http.ts"
import { eventually, openService, postToken, preparePurchase, type TestService } from "../support/service.ts"

const mebibyte = 1024 * 1024
const form = "Content-Type: application/x-www-form-urlencoded"

let service: TestService
let logged: { level: string; message: string }[] = []
const note = (level: string) => (_fields: object, message: string) => void logged.push({ level, message })
const log = { debug: () => {}, info: note("info"), warn: note("warn"), error: note("error") }
beforeAll(async () => {
  service = await openService({ issuer: { log } })
})
beforeEach(() => {
  logged = []
})
afterAll(() => service.close())

/** A hardened server with endpoints and a route that reads its body; counts the bytes that arrive. */
async function start() {
  const { issuer } = service
  const app = express().use(authorizationServer(issuer))
  app.post("/films", gate(issuer, "movies:read"), express.text(), (req, res) => void res.json(req.body))
  const sockets: Socket[] = []
  const { port } = await listen(app, (server: Server) =>
    hardenServer(server).on("connection", (socket) => void sockets.push(socket)),
  )
  return { port, bytesRead: () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0) }
}

type Line = { readonly text: () => string; readonly socket: Socket; readonly closed: Promise<unknown> }

function dial(port: number): Line {
  const socket = connect(port, "127.0.0.1").setEncoding("latin1")
  let text = ""
  socket.on("data", (part: string) => {
    text += part
  })
  socket.on("error", () => undefined)
  return { text: () => text, socket, closed: new Promise((resolve) => socket.on("close", resolve)) }
}

const head = (request: string, ...lines: string[]) =>
  [`${request} HTTP/1.1`, "Host: x", ...lines, "", ""].join("\r\n")
const expecting = "Expect: 100-continue"
const answered = (line: Line, count = 1) =>
  eventually(
    async () => statusesOf(line.text()),
    (statuses) => statuses.length >= count,
  )

describe("a body that waits for 100 Continue", () => {
  const huge = `Content-Length: ${400 * mebibyte}`
  it.each([
    ["413 for its length", "POST /token", 413, huge, form],
    ["405 for its method", "PUT /token", 405, "Content-Length: 10", form],
    ["415 for its encoding", "POST /token", 415, "Content-Length: 10", "Content-Encoding: gzip"],
    ["400 for a doubled header", "POST /token", 400, "Content-Length: 10", "DPoP: a\r\nDPoP: b"],
    ["402 without a token", "POST /films", 402, huge, "Content-Type: text/plain"],
  ])(
    "is not asked for by an answer %s, which ends the connection",
    async (_name, request, status, ...lines) => {
      const { port } = await start()
      const line = dial(port)
      line.socket.write(head(request, expecting, ...lines))
      await line.closed
      expect(statusesOf(line.text())).toEqual([status])
      expect(line.text()).toMatch(/^connection: close\r$/im)
    },
  )

  it("is not asked for while checks take time", async () => {
    const { port } = await listen(
      async (req, res) => {
        const request = webRequest(req, res, { protocol: "http:", host: "x" })
        await turn()
        res.end(request?.method)
      },
      (server) => hardenServer(server),
    )
    const line = dial(port)
    line.socket.write(head("POST /token", expecting, "Content-Length: 10"))
    expect(await answered(line)).toEqual([200])
    line.socket.destroy()
  })

  it("is asked for when an endpoint or a handler reads it, and then read whole", async () => {
    const { port } = await start()
    const { headers } = await preparePurchase(service, await service.customer())
    const { access_token } = (await postToken(service.url, headers)).body
    const body = "grant_type=refresh_token&refresh_token=x"
    const line = dial(port)
    for (const [request, more, status] of [
      ["POST /token", form, 400],
      ["POST /films", `Content-Type: text/plain\r\nAuthorization: Bearer ${access_token}`, 200],
    ] as const) {
      const before = statusesOf(line.text()).length
      line.socket.write(head(request, expecting, more, `Content-Length: ${body.length}`))
      expect((await answered(line, before + 1)).at(-1)).toBe(100)
      line.socket.write(body)
      expect((await answered(line, before + 2)).at(-1)).toBe(status)
    }
    expect(line.text()).toContain(`"${body}"`)
    line.socket.destroy()
  })
})

describe("a body that an answer does not wait for", () => {
  it("is dropped where it is short, and the next request on the connection is answered", async () => {
    const { port } = await start()
    const line = dial(port)
    const body = "x".repeat(50_000)
    const next = head("GET /health/live")
    for (const [at, request] of ["PUT /token", "POST /health/live", "POST /films"].entries()) {
      line.socket.write(head(request, `Content-Length: ${body.length}`))
      await answered(line, 2 * at + 1)
      line.socket.write(body + next)
      await answered(line, 2 * at + 2)
    }
    expect(statusesOf(line.text())).toEqual([405, 200, 405, 200, 402, 200])
    line.socket.destroy()
  })

  it.each([
    ["413 for its declared length", "POST /token", 413, `Content-Length: ${400 * mebibyte}`],
    ["413 for its chunks", "POST /token", 413, "Transfer-Encoding: chunked"],
    ["405", "PUT /token", 405, `Content-Length: ${400 * mebibyte}`],
    ["402", "POST /films", 402, `Content-Length: ${400 * mebibyte}`],
    ["402 in chunks", "POST /films", 402, "Transfer-Encoding: chunked"],
  ])("is left where it is long: %s, and the connection ends", async (_name, request, status, length) => {
    const { port, bytesRead } = await start()
    const line = dial(port)
    line.socket.write(head(request, length, "Content-Type: application/json"))
    const part = Buffer.alloc(mebibyte, " ")
    const chunk = length.startsWith("Transfer")
      ? Buffer.concat([Buffer.from("100000\r\n"), part, Buffer.from("\r\n")])
      : part
    const send = (): void => {
      if (line.socket.writable) line.socket.write(chunk, send)
    }
    send()
    await line.closed
    expect(statusesOf(line.text())).toEqual([status])
    expect(line.text()).toMatch(/^connection: close\r$/im)
    expect(bytesRead()).toBeLessThan(4 * mebibyte)
  })
})

describe("callers that hang up in the middle of a body", () => {
  it("DOS-08: make one line in the log, without a level of alarm", async () => {
    const { port, bytesRead } = await start()
    const lines = Array.from({ length: 60 }, () => dial(port))
    for (const { socket } of lines) socket.write(`${head("POST /token", form, "Content-Length: 100")}grant`)
    await eventually(
      async () => bytesRead(),
      (bytes) => bytes >= 60 * head("POST /token", form).length,
    )
    for (const { socket } of lines) socket.destroy()
    await eventually(
      async () => logged.length,
      (count) => count > 0,
    )
    const next = dial(port)
    next.socket.write(head("GET /health/live"))
    await answered(next)
    next.socket.destroy()
    expect(logged).toEqual([{ level: "info", message: "callers hung up before their answer" }])
  })
})
