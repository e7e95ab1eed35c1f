/** `mcp`: serves the tools on stdin and stdout until the host closes them. */
import { once } from "node:events"
import { MissingAccountError } from "../cli/account.ts"
import { CommandError, type Exit } from "../cli/failures.ts"
import { openSession, type Session, type SessionOptions } from "../cli/session.ts"
import type { Terminal } from "../cli/terminal.ts"
import { codeOf } from "../node/private-file.ts"

export async function mcpCommand(
  options: SessionOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Exit> {
  const { createServer, createCalls, askThrough, addTools, StdioServerTransport, withPlainSchemas } =
    await import("./server.ts").catch(missing)
  const mcp = createServer()
  const calls = createCalls()
  let session: Session | undefined
  async function unlockSession(): Promise<Session> {
    if (session) return session
    const opened = await openSession(options, terminal, { approve: askThrough(mcp), onEvent: calls.onEvent })
    session = opened
    await opened.unlock().catch((error: unknown) => {
      opened.close()
      session = undefined
      throw error
    })
    return opened
  }
  try {
    // At the start, because nobody can type a password once stdin is the host's. Without an account the server starts
    // all the same: the host shows the tools, and each call reports the missing account.
    await unlockSession().catch((error: unknown) => {
      if (!(error instanceof MissingAccountError)) throw error
      terminal.say(`ticket402: ${error.message}`)
    })
    addTools(mcp, unlockSession, calls)
    const ended = once(terminal.stdin, "end", { signal }).catch(() => {})
    await mcp.connect(withPlainSchemas(new StdioServerTransport(terminal.stdin, terminal.stdout)))
    await ended
    await mcp.close()
    return "answered"
  } finally {
    session?.close()
  }
}

function missing(error: unknown): never {
  if (codeOf(error) === "ERR_MODULE_NOT_FOUND")
    throw new CommandError("The package for MCP is missing: npm i @modelcontextprotocol/sdk")
  throw error
}
