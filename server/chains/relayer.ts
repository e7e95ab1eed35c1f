/** The relayer by a private key in memory. */
import { keccak256, toFunctionSelector } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { networks } from "../../shared/networks/index.ts"
import { type Address, type Hex, lowerAddress } from "../../shared/values/evm.ts"
import { aggregators, settlerDeployment } from "../core/batch.ts"
import type { Relayer } from "../ports/chain.ts"

/** The key lives in this closure only, so that no log or inspection of the relayer can show it. */
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
  // All that are known, because payments of an offer since replaced may still wait.
  const assets = [...networks.values()].flatMap((network) => network.assets.map((asset) => asset.address))
  const create = ({ privateKey }: Key) => onlySettlements(createRelayer(privateKey), assets)
  return [create(first), ...others.map(create)]
}

/** The settlement calls of all schemes; a new scheme that settles by another call needs a line here. */
const settlementCalls: ReadonlySet<string> = new Set([
  toFunctionSelector("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"),
])

type CallPlans = Pick<Parameters<Relayer["sign"]>[0], "to" | "data">

/**
 * The same relayer, which signs nothing but settlements of these assets, alone or in batches, transfers of nothing to
 * itself and the deployment of the Settler, whoever asks and for whatever reason (KEY-08).
 */
export function onlySettlements(relayer: Relayer, assets: Iterable<Address>): Relayer {
  const known = new Set([...assets].map(lowerAddress))
  const own = lowerAddress(relayer.address)

  const isSettlement = ({ to, data }: CallPlans): boolean =>
    known.has(lowerAddress(to)) && settlementCalls.has(data.slice(0, 10).toLowerCase())

  /** Every call in it is looked at: the contract would make any. */
  function isBatch({ to, data }: CallPlans): boolean {
    const aggregator = aggregators.find(({ address }) => address === lowerAddress(to))
    if (!aggregator) return false
    try {
      return aggregator.decode(data).every(isSettlement)
    } catch {
      // Not a batch in any form that is made here.
      return false
    }
  }

  const fillsNonce = ({ to, data }: CallPlans): boolean => lowerAddress(to) === own && data === "0x"

  const deploysSettler = ({ to, data }: CallPlans): boolean =>
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
