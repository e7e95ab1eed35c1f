/** The matrix: every client calls every server with its own account, and the chain counts the payments. */
import { setTimeout as sleep } from "node:timers/promises"
import { keccak256, pad, toBytes } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import type { LocalChain } from "../support/chain/local-chain.ts"
import type { Client } from "./client.ts"
import type { Server } from "./server.ts"

export type Cell = {
  readonly client: string
  readonly server: string
  readonly calls: number
  /** Calls that were answered with the content. */
  readonly answered: number
  /** Payments from the client's account, by the chain. */
  readonly payments: number
  /** The error that stopped the client before its last call. */
  readonly stopped?: string
}

const calls = 3
const startBalance = 1_000_000n
const longestSeconds = 20
const authorizationUsed = keccak256(toBytes("AuthorizationUsed(address,bytes32)"))

/** Runs all clients at one server at once; each has an account of its own. */
export async function runServer(
  chain: LocalChain,
  server: Server,
  clients: readonly Client[],
): Promise<readonly Cell[]> {
  const participants = clients.filter((client) => !(server.sellsTokens && client.buysTokens))
  const running = await server.open(chain)
  try {
    const visits = await Promise.all(
      participants.map(async (client) => {
        const account = privateKeyToAccount(generatePrivateKey())
        await chain.mint(account.address, startBalance)
        try {
          const answered = await running.visit(client.open(account, running.origin), calls)
          return { client, account, answered }
        } catch (error) {
          // Some errors list many causes: the first line suffices.
          const [stopped = ""] = String(error).split("\n", 1)
          return { client, account, answered: 0, stopped }
        }
      }),
    )
    const payments = await poll(
      () => Promise.all(visits.map(({ account }) => paymentsOf(chain, account.address))),
      (counts) => counts.reduce((sum, count) => sum + count, 0) >= running.taken(),
    )
    return visits.map(({ client, account: _, ...visit }, at) => ({
      ...visit,
      client: client.name,
      server: server.name,
      calls,
      payments: payments[at] ?? 0,
    }))
  } finally {
    await running.close()
  }
}

/**
 * True if every call was answered for one payment at least and one for each call at most, or if no call was
 * answered and nothing was paid.
 */
export const isFair = ({ answered, payments }: Cell): boolean =>
  answered === 0 ? payments === 0 : answered === calls && payments >= 1 && payments <= calls

/** A Markdown table with a row for each client. */
export function tableOf(cells: readonly Cell[]): string {
  const servers = [...new Set(cells.map(({ server }) => server))]
  const clients = [...new Set(cells.map(({ client }) => client))]
  const row = (texts: readonly string[]) => `| ${texts.join(" | ")} |`
  return [
    row(["client", ...servers]),
    row(["---", ...servers.map(() => "---")]),
    ...clients.map((client) =>
      row([
        `\`${client}\``,
        ...servers.map((server) =>
          textOf(cells.find((cell) => cell.client === client && cell.server === server)),
        ),
      ]),
    ),
  ].join("\n")
}

function textOf(cell: Cell | undefined): string {
  if (!cell) return "–"
  const { answered, payments } = cell
  if (answered === 0) return payments === 0 ? "no content, no payment" : `no content, ${payments} PAID`
  return `${answered} calls, ${payments} payment${payments === 1 ? "" : "s"}`
}

async function paymentsOf(chain: LocalChain, payer: `0x${string}`): Promise<number> {
  const logs = (await chain.request("eth_getLogs", [
    { address: chain.asset, fromBlock: "0x0", toBlock: "latest", topics: [authorizationUsed, pad(payer)] },
  ])) as unknown[]
  return logs.length
}

/** Returns the last answer if none is accepted in time: the table then shows the gap. */
async function poll<T>(ask: () => Promise<T>, accepts: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + longestSeconds * 1000
  for (;;) {
    const answer = await ask()
    if (accepts(answer) || Date.now() > deadline) return answer
    await sleep(50)
  }
}
