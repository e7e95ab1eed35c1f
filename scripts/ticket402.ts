#!/usr/bin/env node
/** The command `ticket402`: a table of commands, each loaded only when it is called. */
import { Command } from "commander"
import { addAgentCommands } from "./agent-commands.ts"

const program = new Command("ticket402")
  .description("Sell access to HTTP APIs for stablecoins, and buy it.")
  .showHelpAfterError()
  // Wrong arguments end like a wrong configuration (EX_CONFIG); help is no error.
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 78))

program
  .command("serve")
  .description("run the ticket office, with an example API behind the gate if asked")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--example", "mount the example API", false)
  .action(async (options: { config: string; example: boolean }) => {
    const { serve } = await import("../server/commands/serve.ts")
    process.exitCode = await serve(options)
  })

const terminal = {
  environment: process.env,
  print: (line: string) => void process.stdout.write(`${line}\n`),
  warn: (line: string) => void process.stderr.write(`${line}\n`),
}

program
  .command("reconcile")
  .description("compare the books with the chain; prints JSON lines, the last one with the difference")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--from-block <number>", "first block to compare; default: where the books begin")
  .action(async (options: { config: string; fromBlock?: string }) => {
    const { reconcileCommand } = await import("../server/commands/reconcile.ts")
    process.exitCode = await reconcileCommand(options, terminal)
  })

const whitelist = program.command("whitelist").description("who is let in without paying")
const onWhitelist = (task: "add" | "remove" | "list") => async (options: { config: string }) => {
  const { whitelist: run } = await import("../server/commands/whitelist.ts")
  process.exitCode = await run(task, options, terminal)
}
whitelist
  .command("add")
  .description("let a caller in; for a client a secret is made and printed once")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--address <address>", "of a caller that signs with its key")
  .option("--client-id <id>", "of a caller with a secret")
  .option("--scope <scope>", "what it is let in for, names separated by spaces")
  .option("--secret-sha256 <hex>", "hash of a secret of your own instead of a new one")
  .action(onWhitelist("add"))
whitelist
  .command("remove")
  .description("let a caller in no more; its tokens are refused within 5 s")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--address <address>", "of the caller")
  .option("--client-id <id>", "of the caller")
  .action(onWhitelist("remove"))
whitelist
  .command("list")
  .description("print who is let in, one JSON line each")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action(onWhitelist("list"))

const ledger = program.command("ledger").description("what became of single payments")
type LedgerFlags = {
  readonly config: string
  readonly key?: string
  readonly grant?: string
  readonly units?: string
}
const onLedger = (task: "list" | "show" | "retry" | "credit") => async (options: LedgerFlags) => {
  const { ledger: run } = await import("../server/commands/ledger.ts")
  process.exitCode = await run(task, options, terminal)
}
ledger
  .command("list")
  .description("print payments in the order of their sale, one JSON line each")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--state <state>", "only those in this state, such as dead")
  .option("--limit <count>", "at most so many; 100 when not given")
  .option("--after <sequence>", "those after this one, to turn the page")
  .action(onLedger("list"))
ledger
  .command("show")
  .description("print all that is kept of a payment, every transaction it was in included")
  .argument("<key>", "of the payment")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action((key: string, options: LedgerFlags) => onLedger("show")({ ...options, key }))
ledger
  .command("retry")
  .description("have a dead payment tried again at once")
  .argument("<key>", "of the payment")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action((key: string, options: LedgerFlags) => onLedger("retry")({ ...options, key }))
ledger
  .command("credit")
  .description("give a grant of so many calls more of them, such as what a crash cost its buyer")
  .argument("<grant>", "its id")
  .argument("<units>", "how many")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--note <text>", "a note for the ledger")
  .action((grant: string, units: string, options: LedgerFlags) =>
    onLedger("credit")({ ...options, grant, units }),
  )

program
  .command("init-chain")
  .description("deploy the contract that settles many payments in one transaction, where it is missing")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--network <id>", "CAIP-2 id of one configured network, instead of all")
  .action(async (options: { config: string; network?: string }) => {
    const { initChain } = await import("../server/commands/init-chain.ts")
    process.exitCode = await initChain(options, terminal)
  })

program
  .command("revoke")
  .description("take grants back; their tokens are refused within 5 s, and nothing more comes out of them")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--token <token>", "the grant of this access or refresh token")
  .option("--grant <id>", "this grant")
  .option("--payer <address>", "what this address has bought until now")
  .option("--client <id>", "what this client has been given until now")
  .option("--offer <id>", "what was bought of this offer, by its id or reference")
  .option(
    "--issued-before <time>",
    "what began earlier: all of it, or with --payer, --client or --offer its part",
  )
  .option("--reason <text>", "a note for the ledger")
  .action(async (options: { config: string }) => {
    const { revoke } = await import("../server/commands/revoke.ts")
    process.exitCode = await revoke(options, terminal)
  })

const keys = program.command("keys").description("the keys that sign tokens and receipts")
const onKeys = (task: "list" | "rotate" | "remove") => async (options: { config: string; kid?: string }) => {
  const { keys: run } = await import("../server/commands/keys.ts")
  process.exitCode = await run(task, options, { ...terminal, now: () => Math.floor(Date.now() / 1000) })
}
keys
  .command("list")
  .description("print every key and what it is used for now, one JSON line each")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action(onKeys("list"))
keys
  .command("rotate")
  .description("let the next keys sign; what the present ones signed stays good until it is over")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action(onKeys("rotate"))
keys
  .command("remove")
  .description("in an emergency: what the key signed is refused within 5 s, and the next one signs")
  .argument("<kid>", "the key's id, as list prints it")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action((kid: string, options: { config: string }) => onKeys("remove")({ ...options, kid }))

addAgentCommands(program)

await program.parseAsync()
