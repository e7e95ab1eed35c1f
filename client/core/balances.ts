/** Reads balances from the payer's own hook: the client itself asks no node. */
import type { AssetInfo, NetworkInfo } from "../../shared/networks/network.ts"
import type { Address } from "../../shared/values/evm.ts"

/** Returns the balance in atomic units. An error means that the balance is unknown. */
export type Balances = (query: {
  /** CAIP-2. */
  readonly network: string
  readonly asset: Address
  readonly account: Address
}) => Promise<bigint>

/** Whether there is enough for an entry: "yes", "no", or "unknown". */
export type Funds = (entry: Payable) => "yes" | "unknown" | "no"

type Payable = { readonly network: NetworkInfo; readonly asset: AssetInfo; readonly amount: bigint }

/** Asks once for each asset, and only where there is something to choose. */
export async function fundsOf(
  entries: readonly Payable[],
  account: Address,
  balances: Balances | undefined,
): Promise<Funds> {
  const assets = new Map(entries.map((entry) => [keyOf(entry), entry]))
  if (!balances || assets.size < 2) return () => "unknown"
  const known = new Map<string, bigint>()
  await Promise.all(
    [...assets].map(async ([key, { network, asset }]) => {
      try {
        known.set(key, await balances({ network: network.id, asset: asset.address, account }))
      } catch {
        // Unknown, which is neither yes nor no.
      }
    }),
  )
  return (entry) => {
    const balance = known.get(keyOf(entry))
    if (balance === undefined) return "unknown"
    return balance >= entry.amount ? "yes" : "no"
  }
}

const keyOf = ({ network, asset }: Payable): string => `${network.id} ${asset.address}`
