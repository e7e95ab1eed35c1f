/** Finds the connection to the network of a payment. */
import { Refusal } from "../../../shared/refusals.ts"
import type { Chain } from "../../ports/chain.ts"

export function requireChain(chains: ReadonlyMap<string, Chain>, network: string): Chain {
  const chain = chains.get(network)
  if (!chain) throw new Refusal("network_mismatch", "The network is not served here.")
  return chain
}
