/** Compiles a script and runs it: scripts that start many processes and threads then end much sooner. */
import { spawn } from "node:child_process"
import { bundled } from "../test/support/bundle.ts"

const [script = "", ...args] = process.argv.slice(2)
const child = spawn(process.execPath, [bundled(script), ...args], { stdio: "inherit" })
child.once("exit", (code) => {
  process.exitCode = code ?? 1
})
