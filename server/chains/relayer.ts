/** Creates relayers from private keys in memory. */
import { keccak256 } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { networks } from "../../shared/networks/index.ts"
import { schemes } from "../../shared/schemes/index.ts"
import type { Call } from "../../shared/schemes/scheme.ts"
import { type Address, type Hex, lowerAddress } from "../../shared/values/evm.ts"
import { aggregators, settlerDeployment } from "../core/batch.ts"
import type { Relayer } from "../ports/chain.ts"

/** Keeps the key in this closure only, so that no log or inspection of the relayer can show it. */
export function createRelayer(privateKey: Hex): Relayer {
  const account = privateKeyToAccount(privateKey)
  return Object.freeze({
    address: lowerAddress(account.address),

    // Signatures are deterministic (RFC 6979): the same transaction always gives the same bytes.
    async sign({ chainId, nonce, to, data, gas, fees }: Parameters<Relayer["sign"]>[0]) {
      const { maxFeePerGas, maxPriorityFeePerGas } = fees
      const raw = await account.signTransaction({
        type: "eip1559",
        chainId,
        nonce,
        to,
        data,
        gas,
        maxFeePerGas,
        maxPriorityFeePerGas,
      })
      return { hash: keccak256(raw), raw, maxFeePerGas, maxPriorityFeePerGas }
    },
  })
}

type Key = { readonly privateKey: Hex }

/** The relayers of a configuration, each of which signs settlements of known assets only. */
export function createRelayers([first, ...others]: readonly [Key, ...Key[]]): readonly [
  Relayer,
  ...Relayer[],
] {
  // Every known asset, because payments of a replaced offer may still wait.
  const assets = [...networks.values()].flatMap((network) => network.assets.map((asset) => asset.address))
  const create = ({ privateKey }: Key) => onlySettlements(createRelayer(privateKey), assets)
  return [create(first), ...others.map(create)]
}

/**
 * Limits a relayer to settlements of these assets, alone or in batches, empty transfers to itself and the deployment of
 * the Settler. No caller can make it spend its funds on anything else (KEY-08).
 */
export function onlySettlements(relayer: Relayer, assets: readonly Address[]): Relayer {
  const settlements = new Set(
    [...schemes.values()].flatMap(({ settlement }) =>
      assets.map((asset) => callName(settlement.target(lowerAddress(asset)), settlement.selector)),
    ),
  )
  const own = lowerAddress(relayer.address)

  const isSettlement = ({ to, data }: Call): boolean => settlements.has(callName(to, data))

  /** Checks every call in the batch, because the contract would make any. */
  function isBatch({ to, data }: Call): boolean {
    const aggregator = aggregators.find(({ address }) => address === lowerAddress(to))
    if (!aggregator) return false
    try {
      return aggregator.decode(data).every(isSettlement)
    } catch {
      // The data is in no form that this service makes.
      return false
    }
  }

  const fillsNonce = ({ to, data }: Call): boolean => lowerAddress(to) === own && data === "0x"

  const deploysSettler = ({ to, data }: Call): boolean =>
    lowerAddress(to) === settlerDeployment.to && data.toLowerCase() === settlerDeployment.data

  return Object.freeze({
    address: relayer.address,
    async sign(transaction: Parameters<Relayer["sign"]>[0]) {
      const allowed = [isSettlement, isBatch, fillsNonce, deploysSettler].some((is) => is(transaction))
      if (!allowed) throw new Error("the relayer was asked to sign what is no settlement")
      return relayer.sign(transaction)
    },
  })
}

/** The target and the function that a call names. */
const callName = (to: Address, data: Hex): string => `${lowerAddress(to)} ${data.slice(0, 10).toLowerCase()}`
