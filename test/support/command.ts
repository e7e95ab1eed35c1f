/** Runs the project's commands as a user would, as processes of their own. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

export type Command = {
  /** Resolves with what was printed until now, once it contains a whole line. */
  firstLine(): Promise<string>
  /** Resolves when the process has ended. */
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>
  kill(signal: NodeJS.Signals): void
}

/** `script` is a path from the project's root. */
export const runCommand = (
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Command => runFile(new URL(`../../${script}`, import.meta.url), args, { env })

export function runFile(
  file: URL,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Command {
  const child = spawn(process.execPath, ["--import", "tsx", fileURLToPath(file), ...args], {
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
  })
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }))
  return {
    async firstLine() {
      while (!stdout.includes("\n")) {
        const more = await Promise.race([
          once(child.stdout, "data").then(() => true),
          ended.then(() => false),
        ])
        if (!more && !stdout.includes("\n")) throw new Error(`the command ended without a line: ${stderr}`)
      }
      return stdout.slice(0, stdout.indexOf("\n"))
    },
    ended,
    kill: (signal) => {
      child.kill(signal)
    },
  }
}
