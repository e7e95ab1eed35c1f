/** A TCP proxy in front of PostgreSQL that cuts a connection at its COMMIT, or holds the COMMIT back. */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"

/** `before`: the server never sees the COMMIT. `after`: the server carries it out, and its answer is lost. */
export type Cut = "before" | "after"

export type CutProxy = {
  readonly port: number
  /** Cuts the next connection that sends COMMIT, once. Resolves when that has happened. */
  cutNext(cut: Cut): Promise<void>
  /** Holds the next COMMIT back. Resolves, when it is here, with the function that sends it on. */
  holdNext(): Promise<() => void>
  close(): Promise<void>
}

const commit = Buffer.from("COMMIT\0")

export async function startCutProxy(targetPort: number): Promise<CutProxy> {
  let armed: { readonly cut: Cut; readonly done: () => void } | undefined
  let holding: ((sendOn: () => void) => void) | undefined
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(targetPort, "127.0.0.1")
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      // Each end goes with the other, and an error is one way to go.
      socket.on("error", () => undefined)
      socket.on("close", () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    upstream.on("data", (chunk) => client.write(chunk))
    client.on("data", (chunk) => {
      const hold = chunk.includes(commit) ? holding : undefined
      if (hold) {
        holding = undefined
        return hold(() => void upstream.write(chunk))
      }
      const cutting = armed && chunk.includes(commit) ? armed : undefined
      if (!cutting) return upstream.write(chunk)
      armed = undefined
      if (cutting.cut === "before") client.destroy()
      else {
        // The answer is proof that the server has decided.
        upstream.removeAllListeners("data")
        upstream.once("data", () => client.destroy())
        upstream.write(chunk)
      }
      client.once("close", cutting.done)
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (typeof address !== "object" || address === null) throw new Error("the proxy has no port")
  return {
    port: address.port,
    cutNext: (cut) =>
      new Promise((done) => {
        armed = { cut, done }
      }),
    holdNext: () =>
      new Promise((resolve) => {
        holding = resolve
      }),
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}
