/** Logs one line at the start: the offers on sale, the recipient of the money, and the gas of the relayers. */
import { networks } from "../../shared/networks/index.ts"
import { findAsset } from "../../shared/networks/network.ts"
import { formatAmount } from "../../shared/values/amount.ts"
import type { Config } from "../config/config.ts"
import type { Offer, Price } from "../core/offers.ts"
import type { Chain, Relayer } from "../ports/chain.ts"
import type { Logger } from "../ports/runtime.ts"

/** Ether and its kin, in decimals of the coin. */
const coinDecimals = 18

export async function logStart(
  { offers, payTo }: Pick<Config, "offers" | "payTo">,
  relayers: readonly Pick<Relayer, "address">[],
  chains: ReadonlyMap<string, Chain>,
  log: Logger,
): Promise<void> {
  const accounts = [...chains.values()].flatMap((chain) =>
    relayers.map(({ address }) => ({ chain, address })),
  )
  const gas = await Promise.all(
    accounts.map(async ({ chain, address }) => ({
      network: chain.network.id,
      relayer: address,
      // A node that does not answer leaves the balance unknown, and keeps nobody waiting for the start.
      coins: await chain.gasBalance(address).then(
        (wei) => formatAmount(wei, coinDecimals),
        () => null,
      ),
    })),
  )
  log.info({ offers: offers.map(describeOffer), payTo, gas }, "these offers are on sale")
}

const describeOffer = ({ id, scope, durationSeconds, units, prices }: Offer): string =>
  [
    `${id}: ${scope} for ${durationSeconds} s`,
    ...(units === null ? [] : [`${units} units`]),
    prices.map(describePrice).join(" or "),
  ].join(", ")

function describePrice({ network, asset, amount }: Price): string {
  const info = networks.get(network)
  const known = info && findAsset(info, asset)
  const cost = known && amount !== null ? formatAmount(amount, known.decimals) : "a price by function in"
  return `${cost} ${known?.symbol ?? asset} on ${info?.name ?? network}`
}
