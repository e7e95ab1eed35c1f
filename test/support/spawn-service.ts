/** Starts the service as a child process, for tests that kill it. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import type { Hex } from "../../shared/values/evm.ts"
import { bundled } from "./bundle.ts"
import type { ProcessOrder } from "./service-process.ts"

export type ServiceProcess = {
  readonly relayer: Hex
  readonly pid: number
  /** Resolves with the signal or code when the process is gone. */
  readonly gone: Promise<string | number | null>
  kill(signal: NodeJS.Signals): Promise<void>
}

export type SpawnOptions = {
  /** The size from which on no file may grow, until it is allowed to. */
  readonly fileBytes?: number
}

export async function spawnService(order: ProcessOrder, options: SpawnOptions = {}): Promise<ServiceProcess> {
  const node = [process.execPath, bundled("test/support/service-process.ts"), JSON.stringify(order)]
  const limits = options.fileBytes === undefined ? [] : ["prlimit", `--fsize=${options.fileBytes}:`]
  const [command = "", ...args] = [...limits, ...node]
  const child: ChildProcess = spawn(command, args, {
    // One that cannot write may die of it, and says so.
    stdio: ["ignore", "pipe", limits.length > 0 ? "ignore" : "inherit"],
  })
  const gone = once(child, "exit").then(([code, signal]) => (signal ?? code) as string | number | null)
  const line = await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, "data").then(([data]) => String(data)),
    gone.then((why) => {
      throw new Error(`the service ended before it listened: ${why}`)
    }),
  ])
  return {
    relayer: JSON.parse(line).relayer,
    pid: child.pid ?? 0,
    gone,
    async kill(signal) {
      child.kill(signal)
      await gone
    },
  }
}

/** One more process of a service, at an address of its own. */
export async function spawnMate(
  config: ProcessOrder["config"],
): Promise<ServiceProcess & { readonly url: string }> {
  const port = await freePort()
  return { ...(await spawnService({ config, port })), url: `http://127.0.0.1:${port}` }
}

/** A port nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}
