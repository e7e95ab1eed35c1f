/** Static facts of a network: a CAIP-2 id and the assets that money is taken in. A live connection is a chain. */
import type { Address, Domain } from "../values/evm.ts"

export type AssetInfo = {
  readonly symbol: string
  readonly address: Address
  readonly decimals: number
  /** EIP-712 name and version of the asset's contract; never taken from the wire. */
  readonly eip712: { readonly name: string; readonly version: string }
  /** ISO 4217 code of the currency the asset stands for. */
  readonly currency: string
}

export type NetworkInfo = {
  /** CAIP-2, e.g. `eip155:11155111`. */
  readonly id: `eip155:${number}`
  readonly name: string
  /** What x402 v1 calls it; absent where its clients do not know it. */
  readonly v1Name?: string
  readonly chainId: number
  readonly testnet: boolean
  /** Usual time between blocks; how long a settlement is expected to take. */
  readonly blockSeconds: number
  /** So deep a block counts as final where a node does not know the tag `finalized`. */
  readonly finalityBlocks: number
  readonly assets: readonly AssetInfo[]
}

export const domainOf = (network: NetworkInfo, asset: AssetInfo): Domain => ({
  ...asset.eip712,
  chainId: network.chainId,
  verifyingContract: asset.address,
})

/** Finds an asset by its address (any valid spelling) or its symbol. */
export function findAsset(network: NetworkInfo, nameOrAddress: string): AssetInfo | undefined {
  const wanted = nameOrAddress.toLowerCase()
  return network.assets.find(
    (asset) => asset.address.toLowerCase() === wanted || asset.symbol.toLowerCase() === wanted,
  )
}
