/** `reconcile`: says whether the books agree with the chain, and names every row and transfer that does not. */

import { auditBooks } from "./books/audit.ts"
import { type Account, reconcile } from "./books/reconcile.ts"
import { configExit, mendableProblems, readConfig } from "./config/file.ts"
import { ConfigError, parseConfig } from "./config.ts"
import { connect } from "./connections.ts"
import { payeesOf } from "./core/offers.ts"
import { nominalValue } from "./core/payment.ts"
import { createLogger } from "./log.ts"
import { ChainMismatch, ChainUnavailable } from "./ports/chain.ts"
import { StoreUnavailable } from "./ports/store.ts"
import { openStore } from "./stores/index.ts"

export type ReconcileCommandOptions = { readonly config: string; readonly fromBlock?: string }

export type ReconcileIo = {
  readonly environment: Record<string, string | undefined>
  /** Lines of the answer, each a JSON object. */
  print(line: string): void
  /** Lines for the person at the terminal. */
  warn(line: string): void
}

/** Resolves with the exit code: 0 when everything agrees, 1 when something does not or cannot be told, 78 to be mended. */
export async function reconcileCommand(options: ReconcileCommandOptions, io: ReconcileIo): Promise<number> {
  try {
    return (await run(options, io)) ? 0 : 1
  } catch (error) {
    const isAway = [StoreUnavailable, ChainUnavailable].some((kind) => error instanceof kind)
    const isMendable = error instanceof ChainMismatch || isAway
    const problems = isMendable && error instanceof Error ? [error.message] : mendableProblems(error)
    if (!problems) throw error
    for (const problem of problems) io.warn(`${options.config}: ${problem}`)
    return isAway ? 1 : configExit
  }
}

async function run(options: ReconcileCommandOptions, io: ReconcileIo): Promise<boolean> {
  const config = parseConfig(await readConfig(options.config), io.environment)
  const fromBlock = readBlock(options.fromBlock)
  if (config.database.startsWith("memory:"))
    throw new ConfigError(['database: found "memory:", wanted a file that this command can read'])
  const print = (line: object) =>
    io.print(JSON.stringify(line, (_, value) => (typeof value === "bigint" ? `${value}` : value)))
  const store = await openStore(config.database)
  try {
    const broken = await auditBooks(store)
    for (const each of broken) print({ kind: "broken_invariant", ...each })
    const accounts: Account[] = []
    for (const chain of connect(config, createLogger("silent")).chains.values())
      accounts.push(...(await reconcile({ store, chain, payees: payeesOf(config.offers) }, { fromBlock })))
    for (const account of accounts) printAccount(account, print)
    const differences = accounts.flatMap((account) => account.differences).length
    print({
      kind: "summary",
      difference: total(accounts),
      differences,
      brokenInvariants: broken.length,
    })
    return broken.length === 0 && differences === 0
  } finally {
    await store.close()
  }
}

function printAccount(account: Account, print: (line: object) => void): void {
  const { network, asset, differences, otherIncome, fromBlock, toBlock, booked, arrived, difference } =
    account
  for (const each of differences) print({ ...each, network, asset: asset.symbol })
  for (const { transactionHash, logIndex, payer, value } of otherIncome)
    print({ kind: "other_income", network, asset: asset.symbol, transactionHash, logIndex, payer, value })
  print({ kind: "account", network, asset: asset.symbol, fromBlock, toBlock, booked, arrived, difference })
}

/** What is missing here does not make up for what is too much there. In millionths of the currency. */
const total = (accounts: readonly Account[]): bigint =>
  accounts.reduce(
    (sum, { difference, asset }) => sum + nominalValue(difference < 0n ? -difference : difference, asset),
    0n,
  )

function readBlock(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) throw new ConfigError(["--from-block: wanted a block's number"])
  return BigInt(text)
}
