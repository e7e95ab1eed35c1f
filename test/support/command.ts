/** Runs the project's commands as processes, as a user does. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { bundled } from "./bundle.ts"

export type Command = {
  /** Resolves with the first line of the output, when it is complete. */
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
): Command => start([bundled(script), ...args], { env })

/** Runs a program that was compiled into a folder. */
export const runIn = (folder: string, file: string, args: readonly string[]): Command =>
  start([file, ...args], { cwd: folder })

/** Runs a file directly, compiled at its start. */
export const runFile = (file: URL, args: readonly string[], options: RunOptions = {}): Command =>
  start(["--import", "tsx", fileURLToPath(file), ...args], options)

type RunOptions = { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv }

function start(parameters: readonly string[], options: RunOptions): Command {
  const child = spawn(process.execPath, parameters, {
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
