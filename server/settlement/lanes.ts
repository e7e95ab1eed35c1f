/** Lanes: the nonces of one relayer on one network, and what is in flight by them. */
import type { Address } from "../../shared/values/evm.ts"
import type { Relayer } from "../ports/chain.ts"
import type { InFlight } from "../ports/records.ts"
import type { SettlementContext } from "./context.ts"

export type Lane = {
  readonly address: Address
  /** Undefined when its key is not configured any more: then nothing new is signed, and what is in flight drains. */
  readonly relayer: Relayer | undefined
  /** Lowest nonce first. */
  readonly flying: readonly InFlight[]
  /** Transactions in blocks; undefined when nothing was in flight, so that nobody asked. */
  readonly chainNonce: number | undefined
}

/** A lane that takes payments now, with what the chain says of its account. */
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

/** Where the next transaction goes: where it can be paid for, and of those where the fewest are in flight. */
export function pickLane(lanes: readonly OpenLane[], gas: bigint): OpenLane | undefined {
  const [best] = [...lanes].sort(
    (a, b) =>
      Number(b.affordable >= gas) - Number(a.affordable >= gas) ||
      a.inFlight - b.inFlight ||
      Number(b.affordable > a.affordable) - Number(b.affordable < a.affordable),
  )
  return best
}
