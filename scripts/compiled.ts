/** Runs a script compiled beforehand: one that starts many services, and threads with each, ends in a fraction of the time. */
import { spawn } from "node:child_process"
import { bundled } from "../test/support/bundle.ts"

const [script = "", ...args] = process.argv.slice(2)
const child = spawn(process.execPath, [bundled(script), ...args], { stdio: "inherit" })
child.once("exit", (code) => {
  process.exitCode = code ?? 1
})
