/** Judges from readings of an asset's contract whether the asset still takes the payments of this service. */
import { type Address, type Hex, lowerAddress } from "../../shared/values/evm.ts"

export type AssetReading = {
  /** Empty (`0x`) when the contract has none. */
  readonly domainSeparator: Hex
  readonly paused: boolean
  /** Those of the accounts asked about that the asset blocks. */
  readonly blocked: readonly Address[]
  /** Changes with the code that answers, that of a proxy's implementation included. */
  readonly code: Hex
}

/** The reasons to sell nothing for an asset, with the sentence that buyers and the log read. */
export const assetFaults = {
  domain_changed: "The signing domain of the asset has changed.",
  paused: "The asset is paused.",
  recipient_blocked: "The asset blocks the recipient.",
  relayer_blocked: "The asset blocks a relayer.",
  upgraded: "The contract of the asset has just been replaced.",
} as const
export type AssetFault = keyof typeof assetFaults

export type AssetTerms = {
  readonly domainSeparator: Hex
  readonly relayers: readonly Address[]
}

/**
 * A replaced contract closes the asset for one reading: the next one is of the new contract, whose domain and switches are
 * judged like those of the one before.
 */
export function judgeAsset(
  reading: AssetReading,
  before: AssetReading | undefined,
  { domainSeparator, relayers }: AssetTerms,
): AssetFault | null {
  if (reading.domainSeparator !== domainSeparator) return "domain_changed"
  if (reading.paused) return "paused"
  const isRelayer = (account: Address) => relayers.some((relayer) => lowerAddress(relayer) === account)
  const blocked = reading.blocked.map(lowerAddress)
  if (blocked.some((account) => !isRelayer(account))) return "recipient_blocked"
  if (blocked.length > 0) return "relayer_blocked"
  return before && before.code !== reading.code ? "upgraded" : null
}
