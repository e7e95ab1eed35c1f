/** `reconcile`: says whether the books agree with the chain, and names every row and transfer that does not. */

import { connect } from "../app/connections.ts"
import { createLogger } from "../app/log.ts"
import { auditBooks } from "../books/audit.ts"
import { type Account, reconcile } from "../books/reconcile.ts"
import { type Config, ConfigError } from "../config/config.ts"
import { payeesOf } from "../core/offers.ts"
import { nominalValue } from "../core/payment.ts"
import type { Store } from "../ports/store.ts"
import { type CommandIo, onConfig, withStore } from "./with-store.ts"

export type ReconcileCommandOptions = { readonly config: string; readonly fromBlock?: string }

/** Resolves with the exit code: 0 without a difference, 1 with one or when the chain is unreachable, 78 to correct first. */
export const reconcileCommand = (options: ReconcileCommandOptions, io: CommandIo): Promise<number> =>
  onConfig(options.config, io, (config) => {
    const fromBlock = readBlock(options.fromBlock)
    return withStore(config, (store) => report(store, config, fromBlock, io))
  })

async function report(
  store: Store,
  config: Config,
  fromBlock: bigint | undefined,
  io: CommandIo,
): Promise<number> {
  const print = (line: object) =>
    io.print(JSON.stringify(line, (_, value) => (typeof value === "bigint" ? `${value}` : value)))
  const broken = await auditBooks(store)
  for (const each of broken) print({ kind: "broken_invariant", ...each })
  const accounts: Account[] = []
  for (const chain of connect(config, createLogger("silent")).chains.values())
    accounts.push(...(await reconcile({ store, chain, payees: payeesOf(config.offers) }, { fromBlock })))
  for (const account of accounts) printAccount(account, print)
  const differences = accounts.flatMap((account) => account.differences).length
  print({ kind: "summary", difference: total(accounts), differences, brokenInvariants: broken.length })
  return broken.length === 0 && differences === 0 ? 0 : 1
}

function printAccount(account: Account, print: (line: object) => void): void {
  const { network, asset, differences, otherIncome, owed } = account
  const { fromBlock, toBlock, booked, arrived, difference } = account
  for (const each of differences) print({ ...each, network, asset: asset.symbol })
  for (const { transactionHash, logIndex, payer, value } of otherIncome)
    print({ kind: "other_income", network, asset: asset.symbol, transactionHash, logIndex, payer, value })
  for (const { key, transfer } of owed)
    print({ kind: "owed", network, asset: asset.symbol, key, payer: transfer.payer, value: transfer.value })
  print({ kind: "account", network, asset: asset.symbol, fromBlock, toBlock, booked, arrived, difference })
}

/** Adds the differences in millionths of the currency. A surplus in one account never offsets a gap in another. */
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
