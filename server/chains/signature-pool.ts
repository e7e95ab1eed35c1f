/** Recovers signers in a thread of its own: a flood of payments keeps only that thread busy. */
import { Tinypool } from "tinypool"
import type { Recover } from "../../shared/values/evm.ts"
import { type Logger, Overloaded, ThreadFailed } from "../ports/runtime.ts"
import { threadModule } from "../ports/thread-module.ts"
import type { SignatureTask } from "./signature-thread.ts"

export type SignaturePoolOptions = {
  readonly threads?: number
  /** Checks that may wait; at about 2 ms each, an honest payer behind all of them still waits less than a second. */
  readonly waiting?: number
  /** A check whose thread does not answer fails after this long. */
  readonly timeoutMs?: number
  /** The program of the threads, as a URL; for tests. */
  readonly module?: string
}

export type SignaturePool = {
  /** Throws {@link Overloaded} while too many checks wait, and {@link ThreadFailed}. */
  readonly recover: Recover
  close(): Promise<void>
}

/** Throws ThreadMissing. */
export function createSignaturePool(log: Logger, options: SignaturePoolOptions = {}): SignaturePool {
  const { threads = 1, waiting = 256, timeoutMs = 10_000 } = options
  const pool = new Tinypool({
    filename: options.module ?? threadModule("signature-thread", import.meta.url, ["recoverTask"]).href,
    name: "recoverTask",
    // A fixed number, because tinypool starts a new thread for a dead one only to keep the minimum.
    minThreads: threads,
    maxThreads: threads,
    maxQueue: waiting,
  })
  // Without a listener the death of an idle thread would end the process.
  pool.on("error", (error: unknown) => log.error({ err: error }, "a signature thread failed"))
  let closed = false

  return {
    async recover(digest, signature) {
      if (closed || pool.queueSize >= waiting) throw new Overloaded("signature checks")
      try {
        const task: SignatureTask = { digest, signature }
        return await pool.run(task, { signal: AbortSignal.timeout(timeoutMs) })
      } catch (error) {
        // A wrong signature is an answer and not an error, so the thread has failed.
        throw new ThreadFailed("signature checks", { cause: error })
      }
    },
    async close() {
      closed = true
      await pool.destroy()
    },
  }
}
