/** Starts the service as a child process, for tests that kill it. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import type { Hex } from "../../shared/values/evm.ts"
import { bundled } from "./bundle.ts"
import { freePort } from "./free-port.ts"
import type { ProcessOrder } from "./service-process.ts"

export type ServiceProcess = {
  readonly relayer: Hex
  readonly pid: number
  /** Resolves with the signal or code when the process has ended. */
  readonly ended: Promise<string | number | null>
  kill(signal: NodeJS.Signals): Promise<void>
}

export type SpawnOptions = {
  /** The size beyond which no file of the process may grow. */
  readonly fileBytes?: number
}

export async function spawnService(order: ProcessOrder, options: SpawnOptions = {}): Promise<ServiceProcess> {
  const node = [process.execPath, bundled("test/support/service-process.ts"), JSON.stringify(order)]
  const limits = options.fileBytes === undefined ? [] : ["prlimit", `--fsize=${options.fileBytes}:`]
  const [command = "", ...args] = [...limits, ...node]
  const child: ChildProcess = spawn(command, args, {
    // A process that cannot write may end with an error on stderr, which is expected.
    stdio: ["ignore", "pipe", limits.length > 0 ? "ignore" : "inherit"],
  })
  const ended = once(child, "exit").then(([code, signal]) => (signal ?? code) as string | number | null)
  const line = await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, "data").then(([data]) => String(data)),
    ended.then((why) => {
      throw new Error(`the service ended before it listened: ${why}`)
    }),
  ])
  return {
    relayer: JSON.parse(line).relayer,
    pid: child.pid ?? 0,
    ended: ended,
    async kill(signal) {
      child.kill(signal)
      await ended
    },
  }
}

/** Starts one more process of a service, at its own address. */
export async function spawnSecond(
  config: ProcessOrder["config"],
): Promise<ServiceProcess & { readonly url: string }> {
  const port = await freePort()
  return { ...(await spawnService({ config, port })), url: `http://127.0.0.1:${port}` }
}
