/** A server of the matrix on a free port of this machine, and how often its content comes. */
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import type { Call } from "./client.ts"

export async function listen(app: RequestListener) {
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` as const,
    async close(): Promise<void> {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Calls so many times, one after the other; how often the content came. */
export async function countContent(call: Call, url: string, times: number): Promise<number> {
  let seen = 0
  for (let each = 0; each < times; each += 1) {
    const { status } = await call(url)
    if (status === 200) seen += 1
  }
  return seen
}
