/** Defines the static facts of a network: its CAIP-2 id and its assets. A live connection is called a chain. */
import type { Address, Domain } from "../values/evm.ts"

export type AssetInfo = {
  readonly symbol: string
  readonly address: Address
  readonly decimals: number
  /** EIP-712 name and version of the asset's contract. They never come from the wire. */
  readonly eip712: { readonly name: string; readonly version: string }
  /** ISO 4217 code of the currency that the asset represents. */
  readonly currency: string
}

export type NetworkInfo = {
  /** CAIP-2, e.g. `eip155:11155111`. */
  readonly id: `eip155:${number}`
  readonly name: string
  /** The name in x402 v1; absent where v1 clients do not know the network. */
  readonly v1Name?: string
  readonly chainId: number
  readonly testnet: boolean
  /** Usual time between blocks, and so the expected time of a settlement. */
  readonly blockSeconds: number
  /** Depth at which a block counts as final, for nodes without the tag `finalized`. */
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
