/**
 * `npm run interop`: prints which clients reach the content of which servers, and their payments on the
 * chain.
 */
import { startLocalChain } from "../support/chain/local-chain.ts"
import { clients } from "./clients/index.ts"
import { type Cell, isFair, runServer, tableOf } from "./matrix.ts"
import { servers } from "./servers/index.ts"

const chain = await startLocalChain({ network: "base-sepolia", blockTimeSeconds: 0, accounts: 0 })
const cells: Cell[] = []
try {
  for (const server of servers) cells.push(...(await runServer(chain, server, clients)))
} finally {
  await chain.stop()
}
process.stdout.write(`${tableOf(cells)}\n`)
for (const { client, server, stopped } of cells)
  if (stopped !== undefined) process.stdout.write(`${client} at ${server} stopped: ${stopped}\n`)
const unfair = cells.filter((cell) => !isFair(cell))
for (const { client, server } of unfair)
  process.stderr.write(`${client} at ${server}: the payments do not fit the answered calls\n`)
process.exitCode = unfair.length > 0 ? 1 : 0
