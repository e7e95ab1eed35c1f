/**
 * Copies this checkout and makes empty folders beside it, in which a document's steps run as a reader types
 * them.
 */
import { spawn } from "node:child_process"
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
const copied = [
  ...["package.json", "tsconfig.json", "tsconfig.build.json", "README.md", "LICENSE"],
  ...["shared", "server", "client", "scripts", "test/support"],
]

export type Shell = {
  /** Resolves with the output of the commands; rejects with it when one of them fails. */
  readonly ended: Promise<string>
  /** Resolves with the first line that starts with this text, when it has been printed. */
  lineWith(start: string): Promise<string>
  /** Ends the commands and every process that they started. */
  stop(): Promise<void>
}

export type Checkout = {
  /** The folder that holds the checkout. */
  readonly folder: string
  /** Runs commands in a folder beside the checkout, or in the checkout itself. */
  run(commands: string, folder?: string): Shell
  remove(): Promise<void>
}

/**
 * The shells use the real npm, but `npm i` installs from this checkout's packages, because a registry may be
 * unreachable.
 */
export async function copyCheckout(): Promise<Checkout> {
  const folder = await mkdtemp(join(tmpdir(), "checkout-"))
  const checkout = join(folder, "ticket402")
  await Promise.all(copied.map((path) => cp(join(root, path), join(checkout, path), { recursive: true })))
  await symlink(join(root, "node_modules"), join(checkout, "node_modules"))
  await buildUnchecked(join(checkout, "tsconfig.build.json"))
  const commands = join(folder, "bin")
  await mkdir(commands)
  await writeFile(join(commands, "npm"), npmWithoutRegistry)
  await chmod(join(commands, "npm"), 0o700)
  const environment = {
    HOME: process.env.HOME,
    PATH: `${commands}${delimiter}${process.env.PATH}`,
    npm_config_update_notifier: "false",
  }
  return {
    folder,
    run: (text, name = "ticket402") => openShell(text, join(folder, name), environment),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** `npm run check` checks the types; without that check the build takes seconds. */
async function buildUnchecked(file: string): Promise<void> {
  const config = JSON.parse(await readFile(file, "utf8")) as { compilerOptions: Record<string, unknown> }
  config.compilerOptions.noCheck = true
  await writeFile(file, JSON.stringify(config))
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const npmWithoutRegistry = `#!/bin/sh
if [ "$1" = i ]; then
  shift
  exec ${quote(process.execPath)} --import ${quote(import.meta.resolve("tsx"))} ${quote(join(root, "test/support/install-child.ts"))} "$@"
fi
PATH="\${PATH#*${delimiter}}" exec npm "$@"
`

function openShell(commands: string, cwd: string, env: NodeJS.ProcessEnv): Shell {
  const child = spawn("sh", ["-ec", commands], {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${commands}\n${output}`)),
    )
  })
  ended.catch(() => {})
  return {
    ended,
    async lineWith(start) {
      const find = () =>
        output
          .split("\n")
          .slice(0, -1)
          .find((line) => line.startsWith(start))
      return new Promise((resolve, reject) => {
        const check = () => {
          const line = find()
          if (line !== undefined) resolve(line)
        }
        child.stdout.on("data", check)
        child.once("close", () => reject(new Error(`the commands ended without ${start}: ${output}`)))
        check()
      })
    },
    async stop() {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGTERM")
      await ended.catch(() => {})
    },
  }
}
