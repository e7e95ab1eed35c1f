/** `mcp`: serves the tools on stdin and stdout until the host closes them. */
import { once } from "node:events"
import { CommandError, type Exit } from "../cli/failures.ts"
import { openSession, type SessionOptions } from "../cli/session.ts"
import type { Terminal } from "../cli/terminal.ts"
import { codeOf } from "../node/private-file.ts"

export async function mcpCommand(
  options: SessionOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Exit> {
  const { createServer, createCalls, askThrough, addTools, StdioServerTransport } = await import(
    "./server.ts"
  ).catch(missing)
  const mcp = createServer()
  const calls = createCalls()
  const session = await openSession(options, terminal, { approve: askThrough(mcp), onEvent: calls.onEvent })
  try {
    // Now, because nobody can type a password once stdin is the host's.
    await session.unlock()
    addTools(mcp, session, calls)
    const ended = once(terminal.stdin, "end", { signal }).catch(() => {})
    await mcp.connect(new StdioServerTransport(terminal.stdin, terminal.stdout))
    await ended
    await mcp.close()
    return "answered"
  } finally {
    session.close()
  }
}

function missing(error: unknown): never {
  if (codeOf(error) === "ERR_MODULE_NOT_FOUND")
    throw new CommandError("The package for MCP is missing: npm i @modelcontextprotocol/sdk")
  throw error
}
