#!/usr/bin/env node
/** Runs the command `ticket402`. Each subcommand is loaded only when it is called. */
import { createRequire } from "node:module"
import { Command } from "commander"
import { checkNode } from "../shared/values/node-fit.ts"
import { addAgentCommands } from "./agent-commands.ts"

const problem = checkNode(process.versions.node)
if (problem !== undefined) {
  process.stderr.write(`ticket402: ${problem}\n`)
  process.exit(78)
}

const program = new Command("ticket402")
  .option("-V, --version", "print the version")
  .on("option:version", () => {
    const { version } = createRequire(import.meta.url)("ticket402/package.json") as { version: string }
    process.stdout.write(`${version}\n`)
    process.exit(0)
  })
  .description("Sell access to HTTP APIs for stablecoins, and buy it.")
  .showHelpAfterError()
  // Wrong arguments end like a wrong configuration (EX_CONFIG); help is no error.
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 78))

program
  .command("serve")
  .description("run the service")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--example", "add an example API behind the gate", false)
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
  .description("compare the books with the chain; the last JSON line has the difference")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--from-block <number>", "first block to compare; default: the first block of the books")
  .action(async (options: { config: string; fromBlock?: string }) => {
    const { reconcileCommand } = await import("../server/commands/reconcile.ts")
    process.exitCode = await reconcileCommand(options, terminal)
  })

const whitelist = program.command("whitelist").description("add, remove or list callers that need not pay")
const onWhitelist = (task: "add" | "remove" | "list") => async (options: { config: string }) => {
  const { whitelist: run } = await import("../server/commands/whitelist.ts")
  process.exitCode = await run(task, options, terminal)
}
whitelist
  .command("add")
  .description("add a caller; for a client, make a secret and print it once")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--address <address>", "address of a caller that signs with its key")
  .option("--client-id <id>", "id of a caller with a secret")
  .option("--scope <scope>", "scopes of the caller, separated by spaces")
  .option("--secret-sha256 <hex>", "hash of a secret of your own instead of a new one")
  .action(onWhitelist("add"))
whitelist
  .command("remove")
  .description("remove a caller; its tokens are refused within 5 s")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--address <address>", "address of the caller")
  .option("--client-id <id>", "id of the caller")
  .action(onWhitelist("remove"))
whitelist
  .command("list")
  .description("print the callers, one JSON line each")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action(onWhitelist("list"))

const ledger = program.command("ledger").description("list, show or correct single payments")
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
  .option("--state <state>", "only payments in this state, such as dead")
  .option("--limit <count>", "highest number of payments; default: 100")
  .option("--after <sequence>", "only payments after this sequence number")
  .action(onLedger("list"))
ledger
  .command("show")
  .description("print the stored data of a payment, with all its transactions")
  .argument("<key>", "key of the payment")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action((key: string, options: LedgerFlags) => onLedger("show")({ ...options, key }))
ledger
  .command("retry")
  .description("try a dead payment again at once")
  .argument("<key>", "key of the payment")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action((key: string, options: LedgerFlags) => onLedger("retry")({ ...options, key }))
ledger
  .command("credit")
  .description("give a counted grant more units, for example those lost in a crash")
  .argument("<grant>", "id of the grant")
  .argument("<units>", "number of units")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--note <text>", "a note for the ledger")
  .action((grant: string, units: string, options: LedgerFlags) =>
    onLedger("credit")({ ...options, grant, units }),
  )

program
  .command("init-chain")
  .description("deploy the contract that settles many payments in one transaction, on networks without it")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--network <id>", "name or CAIP-2 id of one configured network; default: all")
  .action(async (options: { config: string; network?: string }) => {
    const { initChain } = await import("../server/commands/init-chain.ts")
    process.exitCode = await initChain(options, terminal)
  })

program
  .command("revoke")
  .description("end grants; their tokens are refused within 5 s, and no more are issued")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .option("--token <token>", "the grant of this access or refresh token")
  .option("--grant <id>", "this grant")
  .option("--payer <address>", "all grants of this address until now")
  .option("--client <id>", "all grants of this client until now")
  .option("--offer <id>", "all grants of this offer, by its id or reference")
  .option(
    "--issued-before <time>",
    "grants that began before this time; alone, or with --payer, --client or --offer",
  )
  .option("--reason <text>", "a note for the ledger")
  .action(async (options: { config: string }) => {
    const { revoke } = await import("../server/commands/revoke.ts")
    process.exitCode = await revoke(options, terminal)
  })

program
  .command("backup")
  .description("copy the books to a new file while the service runs")
  .argument("<file>", "name of the copy; must not exist")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action(async (file: string, options: { config: string }) => {
    const { backup } = await import("../server/commands/backup.ts")
    process.exitCode = await backup({ ...options, file }, terminal)
  })

const keys = program.command("keys").description("list, rotate or remove the keys of the service")
type KeyFlags = { readonly config: string; readonly kid?: string; readonly folder?: string }
const onKeys = (task: "list" | "rotate" | "remove" | "rewrap" | "import") => async (options: KeyFlags) => {
  const { keys: run } = await import("../server/commands/keys.ts")
  process.exitCode = await run(task, options, { ...terminal, now: () => Math.floor(Date.now() / 1000) })
}
keys
  .command("list")
  .description("print every key and its use, one JSON line each")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action(onKeys("list"))
keys
  .command("rotate")
  .description("let the next keys sign; existing tokens stay valid")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action(onKeys("rotate"))
keys
  .command("remove")
  .description("remove a stolen key: its signatures are refused within 5 s, and the next key signs")
  .argument("<kid>", "id of the key, as list prints it")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action((kid: string, options: { config: string }) => onKeys("remove")({ ...options, kid }))
keys
  .command("rewrap")
  .description("encrypt the keys of the database under the first key-encryption key")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action(onKeys("rewrap"))
keys
  .command("import")
  .description("move the keys of a folder into the database, before the first start with them there")
  .argument("<folder>", "the former folder of the keys")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action((folder: string, options: { config: string }) => onKeys("import")({ ...options, folder }))

const admin = program.command("admin").description("list or replace the tokens of the admin address")
const onAdmin = (task: "list" | "rotate") => async (options: { config: string; name?: string }) => {
  const { admin: run } = await import("../server/commands/admin.ts")
  process.exitCode = await run(task, options, terminal)
}
admin
  .command("list")
  .description("print name, role and file of each token, one JSON line each")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action(onAdmin("list"))
admin
  .command("rotate")
  .description("put a new token into the file; the old one is refused within 5 s")
  .argument("<name>", "name of the token in the configuration")
  .requiredOption("-c, --config <file>", "configuration, a JSON file")
  .action((name: string, options: { config: string }) => onAdmin("rotate")({ ...options, name }))

addAgentCommands(program)

await program.parseAsync()
