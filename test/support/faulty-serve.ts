/** Runs the command serve with a bug: on SIGUSR2 an unexpected error is thrown or rejected. */
import { serve } from "../../server/commands/serve.ts"

const [config = "", kind] = process.argv.slice(2)
process.once("SIGUSR2", () => {
  const bug = new Error("nobody expected this")
  if (kind === "throw") throw bug
  void Promise.reject(bug)
})
process.exitCode = await serve({ config, example: false })
