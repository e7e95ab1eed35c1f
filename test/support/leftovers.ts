/**
 * Finds the threads, timers, sockets and open files that code of the service has left behind in this process.
 */
import { createHook } from "node:async_hooks"
import { readdir, readlink } from "node:fs/promises"
import { setImmediate as nextTurn } from "node:timers/promises"
import type { Worker } from "node:worker_threads"
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from "undici"

/**
 * True for timers set by this code, directly or through a package: undici and vitest have timers of their
 * own.
 */
const isOurs = (stack: string): boolean => /\/(?:server|shared)\//.test(stack)
/** Node.js holds such a timer weakly, and offers no way to clear it. */
const isWeak = (stack: string): boolean => stack.includes("AbortSignal.timeout")

/**
 * Runs the work, closes the connections that `fetch` keeps for later, and describes each resource that
 * remains in one line. Open files are searched for below the folder.
 */
export async function leftoversOf(folder: string, work: () => Promise<unknown>): Promise<readonly string[]> {
  const timers = new Map<number, string>()
  const threads = new Set<Worker>()
  const hook = createHook({
    init(id, type) {
      const { stack = "" } = type === "Timeout" || type === "Immediate" ? new Error() : {}
      if (isOurs(stack) && !isWeak(stack)) timers.set(id, stack)
    },
    destroy: (id) => void timers.delete(id),
  })
  const addThread = (thread: Worker) => {
    threads.add(thread)
    thread.once("exit", () => threads.delete(thread))
  }
  const sockets = countSockets()
  const before = getGlobalDispatcher()
  const connections = new Agent()
  setGlobalDispatcher(connections)
  process.on("worker", addThread)
  hook.enable()
  try {
    await work()
    await connections.close()
    // Destroy hooks run after the turn in which a timer was cleared.
    await new Promise((resolve) => process.nextTick(() => setImmediate(resolve)))
    hook.disable()
    // A destroyed socket closes some turns later.
    for (let turn = 0; turn < 10 && countSockets() > sockets; turn++) await nextTurn()
    return [
      ...[...timers.values()].map((stack) => `timer ${stack}`),
      ...[...threads].map(({ threadId }) => `thread ${threadId}`),
      ...Array.from({ length: Math.max(0, countSockets() - sockets) }, () => "socket"),
      ...(await openFiles(folder)).map((file) => `file ${file}`),
    ]
  } finally {
    hook.disable()
    process.off("worker", addThread)
    setGlobalDispatcher(before)
  }
}

const countSockets = (): number =>
  process.getActiveResourcesInfo().filter((type) => type === "TCPSocketWrap").length

/** Links of this process's descriptors; Linux alone lists them. */
async function openFiles(folder: string): Promise<readonly string[]> {
  const names = process.platform === "linux" ? await readdir("/proc/self/fd") : []
  const files = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")))
  return files.filter((file) => file.startsWith(folder))
}
