/** Runs a server of the matrix on a free local port, and counts the answers with its content. */
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

/** Makes the calls one after the other; returns the number of answers with the content. */
export async function countContent(call: Call, url: string, calls: number): Promise<number> {
  let received = 0
  for (let each = 0; each < calls; each += 1) {
    const { status } = await call(url)
    if (status === 200) received += 1
  }
  return received
}
