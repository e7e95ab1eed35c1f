/** Runs the command `reconcile` on a service's books and returns its output. */
import { rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { reconcileCommand } from "../../server/commands/reconcile.ts"
import { randomHex32 } from "./payments.ts"
import type { TestService } from "./service.ts"

// biome-ignore lint/suspicious/noExplicitAny: lines are looked into freely in tests
export type Line = any

/** Every printed line; the last one also has the exit code. */
export async function runReconcile(
  service: Pick<TestService, "config">,
  fromBlock?: string,
): Promise<readonly Line[]> {
  const file = join(tmpdir(), `${randomHex32()}.json`)
  await writeFile(file, JSON.stringify(service.config))
  const lines: Line[] = []
  const warnings: string[] = []
  try {
    const code = await reconcileCommand(
      { config: file, ...(fromBlock !== undefined && { fromBlock }) },
      {
        environment: {},
        print: (line) => void lines.push(JSON.parse(line)),
        warn: (line) => void warnings.push(line),
      },
    )
    return code === 78
      ? warnings
      : lines.map((line, at) => (at < lines.length - 1 ? line : { ...line, code }))
  } finally {
    await rm(file)
  }
}
