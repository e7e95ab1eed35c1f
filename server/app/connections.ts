/** A connection to every network of the configuration, for the service and for commands. */
import { networks } from "../../shared/networks/index.ts"
import { createEvmChain } from "../chains/evm.ts"
import type { OnCall } from "../chains/node.ts"
import { createRequestBudget, type RequestBudget } from "../chains/request-budget.ts"
import type { Config } from "../config/config.ts"
import type { Chain } from "../ports/chain.ts"
import type { Logger } from "../ports/runtime.ts"

/** Connections and their budgets of requests, by network. */
type Connections = {
  readonly chains: ReadonlyMap<string, Chain>
  readonly budgets: ReadonlyMap<string, RequestBudget>
  close(): void
}

/** A connection to every network of the configuration. */
export function connect(
  config: Config,
  log: Logger,
  onCall: (network: string, ...call: Parameters<OnCall>) => void = () => {},
): Connections {
  const chains = new Map<string, ReturnType<typeof createEvmChain>>()
  const budgets = new Map<string, RequestBudget>()
  for (const [id, { rpcUrls, requestsPerSecond, logBlocks }] of Object.entries(config.networks)) {
    const network = networks.get(id)
    if (!network) continue
    const prices = config.offers.flatMap((offer) => offer.prices.filter((price) => price.network === id))
    const onSale = new Set<string>(prices.map((price) => price.asset))
    const assets = network.assets.filter((asset) => onSale.has(asset.address.toLowerCase()))
    const budget = createRequestBudget(requestsPerSecond)
    const { agreementAbove } = config.limits
    chains.set(
      id,
      createEvmChain({
        ...{ network, rpcUrls, assets, agreementAbove, logBlocks, log },
        spend: budget.spend,
        onCall: (...call) => onCall(id, ...call),
      }),
    )
    budgets.set(id, budget)
  }
  return {
    chains,
    budgets,
    close() {
      for (const chain of chains.values()) chain.close()
    },
  }
}
