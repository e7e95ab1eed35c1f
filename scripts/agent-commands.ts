/** Adds the commands of the payer: `fetch`, `tokens`, `budget`, `account` and `mcp`. */
import { type Command, InvalidArgumentError } from "commander"
import type { AccountOptions } from "../client/cli/account.ts"
import type { FetchOptions } from "../client/cli/fetch.ts"
import type { SessionOptions } from "../client/cli/session.ts"

const home = [
  "--home <folder>",
  "folder of the account, tokens and settings; default: the data folder of this system",
] as const
const passwordFile = [
  "--password-file <file>",
  "file of mode 0600 whose first line is the password of the account",
] as const

export function addAgentCommands(program: Command): void {
  program
    .command("fetch")
    .description("make a request, and pay for it within the budget when needed")
    .argument("<url>", "URL of the request")
    .option("-X, --request <method>", "method; default: GET, or POST with data")
    .option("-d, --data <text>", "data to send; @file reads a file, @- reads a pipe")
    .option("-H, --header <line>", 'header "Name: value"; repeat it for several headers', collect, [])
    .option("-o, --output <file>", "write the answer to this file")
    .option("-i, --include", "write status and headers before the answer")
    .option("--json", "write one line of JSON: status, headers, body and payment")
    .option("--dry-run", "print the price and pay nothing")
    .option("--yes", "agree to every price within the budget")
    .option("--max <dollars>", "agree to prices up to this one, and refuse higher ones")
    .option("--calls <number>", "planned number of such calls; selects the cheapest offer for them", count)
    .option(...home)
    .option(...passwordFile)
    .action(async (url: string, options: FetchOptions) => {
      const { fetchCommand } = await import("../client/cli/fetch.ts")
      const stop = new AbortController()
      process.once("SIGINT", () => stop.abort())
      await run(options, (terminal, money) => fetchCommand(url, options, terminal, money, stop.signal))
      // A payment under way would keep the process alive. It is stored, and the next call continues it.
      if (stop.signal.aborted) process.exit()
    })

  program
    .command("mcp")
    .description("serve an AI agent over the Model Context Protocol, on stdin and stdout")
    .option(...home)
    .option(...passwordFile)
    .action(async (options: SessionOptions) => {
      const { mcpCommand } = await import("../client/mcp/command.ts")
      const stop = new AbortController()
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
      await run({}, (terminal) => mcpCommand(options, terminal, stop.signal))
      // A payment under way would keep the process alive, as in `fetch`.
      process.exit()
    })

  const tokens = program.command("tokens").description("list, show or remove the tokens that are held")
  const onTokens = (task: "list" | "show" | "remove") => async (id: string, options: SessionOptions) => {
    const commands = await import("../client/cli/tokens.ts")
    await run({}, async (terminal) => void (await commands[task](options, terminal, id)))
  }
  tokens
    .command("list")
    .description("print all tokens, one JSON line each")
    .option(...home)
    .action((options: SessionOptions) => onTokens("list")("", options))
  tokens
    .command("show")
    .description("print one token")
    .argument("<id>", "id of the token, as list prints it")
    .option(...home)
    .action(onTokens("show"))
  tokens
    .command("remove")
    .description("remove one token; nothing is paid back")
    .argument("<id>", "id of the token, as list prints it")
    .option(...home)
    .action(onTokens("remove"))

  program
    .command("receipt")
    .description("print the signed receipt of the payment for a URL, after checking its signature")
    .argument("<url>", "URL that a token in the wallet opens")
    .option(...home)
    .action(async (url: string, options: SessionOptions) => {
      const { receipt } = await import("../client/cli/receipt.ts")
      await run({}, (terminal) => receipt(url, options, terminal))
    })

  program
    .command("budget")
    .description("print the limits and the amounts spent")
    .option(...home)
    .action(async (options: SessionOptions) => {
      const { budget } = await import("../client/cli/tokens.ts")
      await run({}, async (terminal) => void (await budget(options, terminal)))
    })

  const account = program.command("account").description("create, import or show the account that pays")
  const onAccount =
    (task: "accountNew" | "accountImport" | "accountShow") => async (options: AccountOptions) => {
      const commands = await import("../client/cli/account.ts")
      await run({}, async (terminal) => void (await commands[task](options, terminal)))
    }
  account
    .command("new")
    .description("create an account; its key is in a file under a password")
    .option(...home)
    .option(...passwordFile)
    .action(onAccount("accountNew"))
  account
    .command("import")
    .description("import a private key, typed or piped, or the keystore of another wallet")
    .option("--keystore <file>", "Web3 Secret Storage file, version 3; it keeps its password")
    .option(...home)
    .option(...passwordFile)
    .action(onAccount("accountImport"))
  account
    .command("show")
    .description("print the address of the account")
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
