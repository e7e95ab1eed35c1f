/** The commands for those who pay: `fetch`, `tokens`, `budget`, `account` and `mcp`. */
import { type Command, InvalidArgumentError } from "commander"
import type { AccountOptions } from "../client/cli/account.ts"
import type { FetchOptions } from "../client/cli/fetch.ts"
import type { SessionOptions } from "../client/cli/session.ts"

const home = [
  "--home <folder>",
  "where account, tokens and settings are; default: this system's folder for data",
] as const
const passwordFile = ["--password-file <file>", "first line is the account's password; mode 0600"] as const

export function addAgentCommands(program: Command): void {
  program
    .command("fetch")
    .description("call a service, and pay for it within the budget if it must be paid for")
    .argument("<url>", "what to call")
    .option("-X, --request <method>", "GET, or POST with data")
    .option("-d, --data <text>", "what to send; @file reads a file, @- what is piped in")
    .option("-H, --header <line>", 'a header, "Name: value"; again for more', collect, [])
    .option("-o, --output <file>", "write the answer there")
    .option("-i, --include", "write status and headers first")
    .option("--json", "write one line of JSON: status, headers, body, and what was paid")
    .option("--dry-run", "say what the call would cost, and pay nothing")
    .option("--yes", "agree to every price within the budget")
    .option("--max <dollars>", "pay no more, and up to this without a question")
    .option(
      "--calls <number>",
      "how many such calls are planned, to choose between single calls and a pass",
      count,
    )
    .option(...home)
    .option(...passwordFile)
    .action(async (url: string, options: FetchOptions) => {
      const { fetchCommand } = await import("../client/cli/fetch.ts")
      const stop = new AbortController()
      process.once("SIGINT", () => stop.abort())
      await run(options, (terminal, money) => fetchCommand(url, options, terminal, money, stop.signal))
      // A payment under way would keep the process; it is written down, and the next call takes it up.
      if (stop.signal.aborted) process.exit()
    })

  program
    .command("mcp")
    .description("serve an agent by the Model Context Protocol, on stdin and stdout")
    .option(...home)
    .option(...passwordFile)
    .action(async (options: SessionOptions) => {
      const { mcpCommand } = await import("../client/mcp/command.ts")
      const stop = new AbortController()
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
      await run({}, (terminal) => mcpCommand(options, terminal, stop.signal))
      // As after Ctrl-C in `fetch`.
      process.exit()
    })

  const tokens = program.command("tokens").description("the tokens that are held")
  const onTokens = (task: "list" | "show" | "remove") => async (id: string, options: SessionOptions) => {
    const commands = await import("../client/cli/tokens.ts")
    await run({}, async (terminal) => void (await commands[task](options, terminal, id)))
  }
  tokens
    .command("list")
    .description("print them, one JSON line each")
    .option(...home)
    .action((options: SessionOptions) => onTokens("list")("", options))
  tokens
    .command("show")
    .description("print one")
    .argument("<id>", "as list prints it")
    .option(...home)
    .action(onTokens("show"))
  tokens
    .command("remove")
    .description("forget one; nothing is paid back")
    .argument("<id>", "as list prints it")
    .option(...home)
    .action(onTokens("remove"))

  program
    .command("budget")
    .description("print the limits, and what was spent of them")
    .option(...home)
    .action(async (options: SessionOptions) => {
      const { budget } = await import("../client/cli/tokens.ts")
      await run({}, async (terminal) => void (await budget(options, terminal)))
    })

  const account = program.command("account").description("the account that pays")
  const onAccount =
    (task: "accountNew" | "accountImport" | "accountShow") => async (options: AccountOptions) => {
      const commands = await import("../client/cli/account.ts")
      await run({}, async (terminal) => void (await commands[task](options, terminal)))
    }
  account
    .command("new")
    .description("make one, its key in a file under a password")
    .option(...home)
    .option(...passwordFile)
    .action(onAccount("accountNew"))
  account
    .command("import")
    .description("take over a private key, which is typed or piped in, or the keystore of another wallet")
    .option("--keystore <file>", "Web3 Secret Storage, version 3; its password stays")
    .option(...home)
    .option(...passwordFile)
    .action(onAccount("accountImport"))
  account
    .command("show")
    .description("print its address")
    .option(...home)
    .action(onAccount("accountShow"))
}

async function run(
  ...args: Parameters<typeof import("../client/cli/conclude.ts").conclude> extends [unknown, ...infer Rest]
    ? Rest
    : never
): Promise<void> {
  const { conclude } = await import("../client/cli/conclude.ts")
  process.exitCode = await conclude(process, ...args)
}

const collect = (line: string, lines: readonly string[]): readonly string[] => [...lines, line]

function count(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError("Wanted a positive whole number.")
  return Number(text)
}
