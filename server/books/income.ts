/** What arrived on a network at the accounts that money goes to, and which signed payment each transfer belongs to. */

import { type AssetInfo, findAsset } from "../../shared/networks/network.ts"
import { schemes } from "../../shared/schemes/index.ts"
import type { Income, Scheme, SeenPayment } from "../../shared/schemes/scheme.ts"
import { type Address, type Hex, lowerAddress } from "../../shared/values/evm.ts"
import type { Evidence } from "../core/redemption.ts"
import type { Chain, Receipt } from "../ports/chain.ts"

/** Where money of an asset goes, or once went. */
export type Payee = {
  readonly network: string
  readonly scheme: string
  readonly asset: Address
  readonly payTo: Address
}

export type Arrival = Income & Evidence & { readonly scheme: Scheme; readonly asset: AssetInfo }

export type IncomeReader = ReturnType<typeof createIncomeReader>

export function createIncomeReader(
  chain: Pick<Chain, "network" | "logs" | "receipt">,
  payees: readonly Payee[],
) {
  const { network } = chain
  const accounts = new Map<string, { scheme: Scheme; asset: AssetInfo; payTos: Set<Address> }>()
  for (const payee of payees) {
    const scheme = schemes.get(payee.scheme)
    const asset = findAsset(network, payee.asset)
    if (payee.network !== network.id || !scheme || !asset) continue
    const id = `${scheme.name} ${asset.address}`
    const account = accounts.get(id) ?? { scheme, asset, payTos: new Set() }
    accounts.set(id, { ...account, payTos: account.payTos.add(lowerAddress(payee.payTo)) })
  }

  /** Transfers of nothing are left out: anybody can make them in anybody's name. */
  async function read(fromBlock: bigint, toBlock: bigint): Promise<readonly Arrival[]> {
    const arrivals = [...accounts.values()].map(async ({ scheme, asset, payTos }) => {
      const topics = scheme.incomeTopics([...payTos])
      const logs = await chain.logs({ asset: asset.address, topics, fromBlock, toBlock })
      return logs.flatMap((log) => {
        const income = scheme.income(log)
        const { transactionHash, logIndex, blockNumber, blockHash } = log
        const place = { transactionHash, logIndex, blockNumber, blockHash }
        return income && income.value > 0n ? [{ ...income, ...place, scheme, asset }] : []
      })
    })
    return (await Promise.all(arrivals)).flat()
  }

  /** The payments behind arrivals; null for what came without an authorization. Payments of one transaction share a look. */
  async function payments(
    arrivals: readonly Arrival[],
  ): Promise<readonly { readonly arrival: Arrival; readonly payment: SeenPayment | null }[]> {
    const receipts = new Map<Hex, Receipt | null>()
    const found: { arrival: Arrival; payment: SeenPayment | null }[] = []
    for (const arrival of arrivals) {
      const { transactionHash, logIndex, scheme, asset } = arrival
      const receipt = receipts.get(transactionHash) ?? (await chain.receipt(transactionHash))
      receipts.set(transactionHash, receipt)
      const seen = receipt ? scheme.payments(receipt.logs, asset.address) : []
      found.push({ arrival, payment: seen.find((payment) => payment.logIndex === logIndex) ?? null })
    }
    return found
  }

  return { network, accounts: [...accounts.values()], read, payments }
}
