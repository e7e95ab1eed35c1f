/** Serves an application on a port of its own until the end of the test. */
import { once } from "node:events"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach } from "vitest"

const open: Server[] = []
afterEach(() => {
  for (const server of open.splice(0)) server.close().closeAllConnections()
})

/** The address of the server, which the end of the test closes. */
export async function listen(
  app: RequestListener,
  prepare: (server: Server) => Server = (server) => server,
): Promise<{ readonly url: string; readonly port: number }> {
  const server = prepare(createServer(app))
  open.push(server)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port }
}
