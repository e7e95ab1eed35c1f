import { once } from "node:events"
import { createServer, type Server } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { type HardenOptions, hardenServer } from "../../../server/adapters/express.ts"

let server: Server
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function start(options: HardenOptions = {}): Promise<() => Socket> {
  server = hardenServer(
    createServer({ connectionsCheckingInterval: 50 }, (req, res) => {
      const names = req.rawHeaders.filter((_, at) => at % 2 === 0)
      res.end(`seen ${names.length}, last ${names.at(-1)}`)
    }),
    options,
  )
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return () => connect((server.address() as AddressInfo).port, "127.0.0.1").setEncoding("utf8")
}

/** Everything the server sends until it closes the connection. */
async function readAll(socket: Socket): Promise<string> {
  let text = ""
  socket.on("data", (part: string) => {
    text += part
  })
  socket.on("error", () => undefined)
  await once(socket, "close")
  return text
}

describe("a hardened server", () => {
  it("DOS-08: closes a connection whose headers never end", async () => {
    const socket = (await start({ headersTimeoutMs: 200, requestTimeoutMs: 10_000 }))()
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 408/)
  })

  it("DOS-08: closes a connection that sends its body a byte at a time", async () => {
    const socket = (await start({ headersTimeoutMs: 200, requestTimeoutMs: 400 }))()
    socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    const trickle = setInterval(() => socket.write("x"), 50)
    await readAll(socket)
    clearInterval(trickle)
  })

  it("DOS-08: closes idle connections", async () => {
    const socket = (await start({ keepAliveTimeoutMs: 100 }))()
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 200/)
  })

  it("DOS-08: accepts no connection above its maximum", async () => {
    const open = await start({ maxConnections: 2 })
    const held = [open(), open()]
    await Promise.all(held.map((socket) => once(socket, "connect")))
    expect(await readAll(open())).toBe("")
    held[0]?.end("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    expect(await readAll(held[0]!)).toMatch(/^HTTP\/1\.1 200/)
  })

  it("PRS-18: passes on every header line or refuses them all", async () => {
    const open = await start()
    const ask = (lines: number) => {
      const socket = open()
      socket.write(
        `GET / HTTP/1.1\r\nHost: a\r\n${"a:b\r\n".repeat(lines)}Authorization: x\r\nConnection: close\r\n\r\n`,
      )
      return readAll(socket)
    }
    expect(await ask(2001)).toMatch(/seen 2004, last Connection/)
    expect(await ask(20_000)).toMatch(/^HTTP\/1\.1 431/)
  })

  it("has default timeouts and a default maximum of connections", async () => {
    await start()
    const { headersTimeout, requestTimeout, keepAliveTimeout, maxConnections } = server
    expect({ headersTimeout, requestTimeout, keepAliveTimeout, maxConnections }).toEqual({
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      // Balancers keep idle connections for 60 s.
      keepAliveTimeout: 65_000,
      maxConnections: 10_000,
    })
  })
})
