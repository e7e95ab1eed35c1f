/** Runs a Node program as a process group of its own, and ends the whole group with it or at a time limit. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { setTimeout as delay } from "node:timers/promises"

/** For a server to stop cleanly, before it is killed. */
const graceSeconds = 5

/**
 * At the time limit, and when the program leaves processes behind, the group gets SIGTERM, and SIGKILL after 5 s.
 */
export async function runGroup(
  args: readonly string[],
  { cwd, seconds }: { readonly cwd: string; readonly seconds: number },
): Promise<"ended" | "time limit"> {
  const child = spawn(process.execPath, args, { cwd, stdio: "ignore", detached: true })
  const closed = once(child, "close")
  const limit = new AbortController()
  const end = await Promise.race([
    closed.then(() => "ended" as const),
    delay(seconds * 1000, "time limit" as const, { signal: limit.signal }),
  ]).finally(() => limit.abort())
  await endGroup(child.pid!)
  await closed
  return end
}

async function endGroup(group: number): Promise<void> {
  const patience = performance.now() + graceSeconds * 1000
  signal(group, "SIGTERM")
  while (signal(group, 0) && performance.now() < patience) await delay(50)
  signal(group, "SIGKILL")
}

/** Returns false when no process of the group is left. */
function signal(group: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false
    throw error
  }
}
