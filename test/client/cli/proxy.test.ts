/** The proxy of the environment carries the commands' requests. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { connect } from "node:net"
import { afterEach, expect, test } from "vitest"
import { proxiedFetch } from "../../../client/cli/proxy.ts"

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

/** Starts a server whose answers name it, and a proxy that records what it tunnels to. */
async function start() {
  const tunnels: string[] = []
  const server = createServer((_request, response) => response.end("origin"))
  const proxy = createServer((request, response) => {
    tunnels.push(request.url ?? "")
    response.end("proxy")
  }).on("connect", (request, socket) => {
    tunnels.push(request.url ?? "")
    const [host = "", port] = (request.url ?? "").split(":")
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n")
      onward.pipe(socket).pipe(onward)
    })
  })
  const urls = await Promise.all(
    [server, proxy].map(async (each) => {
      await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve))
      open.push(() => {
        each.close()
        each.closeAllConnections()
      })
      return `http://127.0.0.1:${(each.address() as AddressInfo).port}`
    }),
  )
  return { origin: urls[0]!, proxy: urls[1]!, tunnels }
}

test("requests go through HTTP_PROXY, and hosts of NO_PROXY past it", async () => {
  const { origin, proxy, tunnels } = await start()
  const through = await proxiedFetch({ HTTP_PROXY: proxy })
  await (await through!(origin)).text()
  expect(tunnels).toHaveLength(1)
  const past = await proxiedFetch({ http_proxy: proxy, NO_PROXY: "127.0.0.1" })
  expect(await (await past!(origin)).text()).toBe("origin")
  expect(tunnels).toHaveLength(1)
})

test("without a proxy in the environment the global fetch is used", async () => {
  expect(await proxiedFetch({ NO_PROXY: "a.example" })).toBeUndefined()
})

test("a proxy that is no URL is an error without its text", async () => {
  await expect(proxiedFetch({ HTTPS_PROXY: "://user:secret@" })).rejects.toThrow(
    /^HTTP_PROXY or HTTPS_PROXY is wrong/,
  )
})
