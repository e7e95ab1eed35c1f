/** Sorts transactions in flight by relayer, and picks the relayer for the next one. */
import type { Address } from "../../shared/values/evm.ts"
import type { Relayer } from "../ports/chain.ts"
import type { InFlight } from "../ports/records.ts"
import type { SettlementContext } from "./context.ts"

export type Lane = {
  readonly address: Address
  /** Undefined when its key is not configured any more: nothing new is signed, and transactions in flight drain. */
  readonly relayer: Relayer | undefined
  /** Lowest nonce first. */
  readonly flying: readonly InFlight[]
  /** Transactions in blocks; undefined when nothing was in flight and the node was not asked. */
  readonly chainNonce: number | undefined
}

/** A lane that takes payments now, with the nonce and balance of its account. */
export type OpenLane = {
  readonly relayer: Relayer
  readonly chainNonce: number
  /** Gas that its balance can pay for. */
  readonly affordable: bigint
  inFlight: number
}

/** Every relayer that is configured or has something in flight. */
export function lanesOf(
  { relayers }: Pick<SettlementContext, "relayers">,
  flying: readonly InFlight[],
  chainNonces: ReadonlyMap<Address, number>,
): readonly Lane[] {
  const addresses = new Set([
    ...relayers.map((relayer) => relayer.address),
    ...flying.map(({ transaction }) => transaction.relayer),
  ])
  return [...addresses].map((address) => ({
    address,
    relayer: relayers.find((relayer) => relayer.address === address),
    flying: flying.filter(({ transaction }) => transaction.relayer === address),
    chainNonce: chainNonces.get(address),
  }))
}

/** Prefers a relayer that can pay for the gas, then the one with the fewest transactions in flight. */
export function pickLane(lanes: readonly OpenLane[], gas: bigint): OpenLane | undefined {
  const [best] = [...lanes].sort(
    (a, b) =>
      Number(b.affordable >= gas) - Number(a.affordable >= gas) ||
      a.inFlight - b.inFlight ||
      Number(b.affordable > a.affordable) - Number(b.affordable < a.affordable),
  )
  return best
}
