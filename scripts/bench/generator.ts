/** Starts the load generator as a process of its own, and sends it orders. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { bundled } from "../../test/support/bundle.ts"
import type { Letter, Orders, Reply, Results } from "./load.ts"

export type Generator = {
  /** Accepts one order at a time. */
  ask<K extends keyof Orders>(kind: K, order: Orders[K]): Promise<Results[K]>
  close(): Promise<void>
}

export function startGenerator(): Generator {
  const child = fork(bundled("scripts/bench/load.ts"))
  const gone = once(child, "exit")
  return {
    async ask(kind, order) {
      child.send({ kind, order } satisfies Letter<typeof kind>)
      const [reply] = (await Promise.race([
        once(child, "message"),
        gone.then(() => [{ error: "the load generator ended" }]),
      ])) as [Reply]
      if ("error" in reply) throw new Error(reply.error)
      return reply.result as Results[typeof kind]
    },
    async close() {
      if (child.connected) child.disconnect()
      await gone
    },
  }
}
