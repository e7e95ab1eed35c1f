/** Reads the money that arrived at the payTo accounts of a network, and the signed payment behind each transfer. */
import { type AssetInfo, findAsset } from "../../shared/networks/network.ts"
import { incomeTopics, readIncome } from "../../shared/schemes/erc20.ts"
import { schemes } from "../../shared/schemes/index.ts"
import type { Income, Scheme, SeenPayment } from "../../shared/schemes/scheme.ts"
import { type Address, type Hex, lowerAddress } from "../../shared/values/evm.ts"
import type { Evidence } from "../core/redemption.ts"
import type { Chain, Receipt } from "../ports/chain.ts"

/** An account that receives, or once received, an asset. */
export type Payee = { readonly network: string; readonly asset: Address; readonly payTo: Address }

export type Arrival = Income & Evidence & { readonly asset: AssetInfo }

/** A signed payment and the scheme it was made by. */
export type FoundPayment = SeenPayment & { readonly scheme: Scheme }

export type IncomeReader = ReturnType<typeof createIncomeReader>

export function createIncomeReader(
  chain: Pick<Chain, "network" | "logs" | "receipt">,
  payees: readonly Payee[],
) {
  const { network } = chain
  const accounts = new Map<AssetInfo, Set<Address>>()
  for (const payee of payees) {
    const asset = findAsset(network, payee.asset)
    if (payee.network !== network.id || !asset) continue
    accounts.set(asset, (accounts.get(asset) ?? new Set()).add(lowerAddress(payee.payTo)))
  }

  /** Skips transfers of nothing, because anybody can make them in anybody's name. */
  async function read(fromBlock: bigint, toBlock: bigint): Promise<readonly Arrival[]> {
    const arrivals = [...accounts].map(async ([asset, payTos]) => {
      const topics = incomeTopics([...payTos])
      const logs = await chain.logs({ address: asset.address, topics, fromBlock, toBlock })
      return logs.flatMap((log) => {
        const income = readIncome(log)
        const { transactionHash, logIndex, blockNumber, blockHash } = log
        const place = { transactionHash, logIndex, blockNumber, blockHash }
        return income && income.value > 0n ? [{ ...income, ...place, asset }] : []
      })
    })
    return (await Promise.all(arrivals)).flat()
  }

  /** The payments behind arrivals; null for plain transfers. Arrivals of one transaction share one read. */
  async function payments(
    arrivals: readonly Arrival[],
  ): Promise<readonly { readonly arrival: Arrival; readonly payment: FoundPayment | null }[]> {
    const receipts = new Map<Hex, Receipt | null>()
    const found: { arrival: Arrival; payment: FoundPayment | null }[] = []
    for (const arrival of arrivals) {
      const { transactionHash } = arrival
      const receipt = receipts.get(transactionHash) ?? (await chain.receipt(transactionHash))
      receipts.set(transactionHash, receipt)
      found.push({ arrival, payment: receipt && paymentBehind(arrival, receipt) })
    }
    return found
  }

  return { network, assets: [...accounts.keys()], read, payments }
}

function paymentBehind({ asset, logIndex }: Arrival, { logs }: Receipt): FoundPayment | null {
  for (const scheme of schemes.values()) {
    const seen = scheme.payments(logs, lowerAddress(asset.address))
    const payment = seen.find((each) => each.logIndex === logIndex)
    if (payment) return { ...payment, scheme }
  }
  return null
}
