#!/usr/bin/env node
/** The command `ticket402`: a table of commands, each loaded only when it is called. */
import { Command } from "commander"

const program = new Command("ticket402")
  .description("Sell access to HTTP APIs for stablecoins.")
  .showHelpAfterError()

program
  .command("serve")
  .description("run the ticket office, with an example API behind the gate if asked")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--example", "mount the example API", false)
  .action(async (options: { config: string; example: boolean }) => {
    const { serve } = await import("../server/main.ts")
    process.exitCode = await serve(options)
  })

await program.parseAsync()
