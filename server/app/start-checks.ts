/** Checks nodes, accounts and prices before anything is sold. */

import { networks } from "../../shared/networks/index.ts"
import { formatAmount } from "../../shared/values/amount.ts"
import { type Address, lowerAddress, parseAddress } from "../../shared/values/evm.ts"
import { checkNode } from "../../shared/values/node-fit.ts"
import { isWellKnown } from "../chains/well-known.ts"
import { type Config, ConfigError } from "../config/config.ts"
import { isSet } from "../core/offers.ts"
import { nominalValue } from "../core/payment.ts"
import { type PriceFunctions, pricingOf } from "../core/pricing.ts"
import { settlerAddress } from "../core/settler.ts"
import type { Funding } from "../feeds/gas-funding.ts"
import { type Chain, ChainMismatch, ChainUnavailable, type Relayer } from "../ports/chain.ts"
import type { Logger } from "../ports/runtime.ts"

/** Throws {@link ConfigError} on a Node.js that lacks what ticket402 calls, before a failure far from the cause. */
export function checkRuntime(node: string): void {
  const problem = checkNode(node)
  if (problem !== undefined) throw new ConfigError([problem])
}

/** A node of the wrong chain is a configuration error; one that does not answer may come back. */
export async function checkChains(chains: ReadonlyMap<string, Chain>, log: Logger): Promise<void> {
  for (const [id, chain] of chains) {
    try {
      await chain.ready()
      if (!(await chain.hasCode(settlerAddress)))
        log.warn(
          { network: id },
          "the Settler contract is not on this network, so settling costs more gas; `ticket402 init-chain` deploys it",
        )
    } catch (error) {
      if (error instanceof ChainMismatch) throw new ConfigError([`networks.${id}.rpcUrls: ${error.message}`])
      if (!(error instanceof ChainUnavailable)) throw error
      log.warn(
        { err: error, network: id },
        "the node does not answer yet; payments are refused with 503 until it does",
      )
    }
  }
}

/** Every price has an amount or a function, and every function has a price to set. */
export function checkPrices({ offers }: Config, functions: PriceFunctions): void {
  const pricing = pricingOf(offers, functions)
  const problems = offers.flatMap((offer, at) =>
    offer.prices.flatMap((price, index) =>
      isSet(price) || pricing.some((each) => each.price === price)
        ? []
        : [
            `offers.${at}.prices.${index}.amount: found nothing, wanted a decimal string such as "0.01", or in code a function: the option "prices" of createIssuer`,
          ],
    ),
  )
  for (const id of Object.keys(functions))
    if (!pricing.some(({ offer }) => offer.id === id))
      problems.push(
        `prices.${id}: found a function, wanted an offer of that id with a price without "amount"`,
      )
  if (problems.length > 0) throw new ConfigError(problems)
}

/** Warns of offers that are sold at a loss, and of networks where that cannot be known. A testnet's coin costs nothing. */
export async function warnOfPrices(
  config: Config,
  funding: ReadonlyMap<string, Funding>,
  log: Logger,
): Promise<void> {
  for (const [id, { nativePrice, rpcUrls }] of Object.entries(config.networks)) {
    const network = networks.get(id)
    if (!network || network.testnet) continue
    if (nativePrice === undefined)
      log.warn({ network: id }, "without nativePrice, payments below their settlement's cost are not refused")
    if (rpcUrls.length === 1)
      log.warn({ network: id }, "with one of rpcUrls, large payments are believed on one node's word")
  }
  for (const offer of config.offers)
    for (const price of offer.prices) {
      const asset = networks
        .get(price.network)
        ?.assets.find((each) => lowerAddress(each.address) === price.asset)
      // A node that does not answer yet leaves the cost unknown. Every payment is checked again.
      const cost = await funding
        .get(price.network)
        ?.cost()
        .catch(() => null)
      if (asset && cost && isSet(price) && nominalValue(price.amount, asset) < cost)
        log.warn(
          { offer: offer.id, network: price.network, cost: formatAmount(cost, 6) },
          "an offer costs less than its settlement and is refused at these fees",
        )
    }
}

/** By their keys in the configuration. */
const relayerAccounts = (relayers: readonly Pick<Relayer, "address">[]): Record<string, Address> =>
  Object.fromEntries(
    relayers.map(({ address }, index) => [
      `relayer.privateKeyFile${index === 0 ? "" : `.${index}`}`,
      address,
    ]),
  )

/** By their keys in the configuration. */
const whitelistedAccounts = (config: Config): Record<string, Address> =>
  Object.fromEntries(
    config.whitelist.flatMap(({ id }, index) => {
      const address = parseAddress(id)
      return address ? [[`whitelist.${index}.address`, address] as const] : []
    }),
  )

/** Neither money nor trust must go where everybody has the key; only a node that says it is for development may have such accounts. */
export async function checkAccounts(
  config: Config,
  relayers: readonly Pick<Relayer, "address">[],
  chains: ReadonlyMap<string, Chain>,
): Promise<void> {
  const accounts: Record<string, Address> = {
    payTo: config.payTo,
    ...relayerAccounts(relayers),
    ...whitelistedAccounts(config),
  }
  const known = Object.keys(accounts).filter((key) => isWellKnown(accounts[key] ?? "0x"))
  if (known.length === 0) return
  const development = await Promise.all(
    [...chains.values()].map((chain) => chain.isDevelopment().catch(() => false)),
  )
  if (development.every(Boolean)) return
  throw new ConfigError(
    known.map(
      (key) =>
        `${key}: found a test account whose key is public, wanted one only you hold (the nodes are not anvil or hardhat)`,
    ),
  )
}

/** Money at the relayer is as safe as this machine; money at a contract is lost where the contract is missing. */
export async function warnOfRecipient(
  { payTo }: Pick<Config, "payTo">,
  relayers: readonly Pick<Relayer, "address">[],
  chains: ReadonlyMap<string, Chain>,
  log: Logger,
): Promise<void> {
  if (relayers.some(({ address }) => lowerAddress(address) === payTo))
    log.warn(
      { payTo },
      "payTo is a relayer, whose key is on this machine; let the money go to a cold account",
    )
  const found = await Promise.all(
    [...chains].map(async ([network, chain]) => ({
      network,
      hasCode: await chain.hasCode(payTo).catch(() => undefined),
    })),
  )
  const missing = found.filter(({ hasCode }) => hasCode === false).map(({ network }) => network)
  if (missing.length > 0 && found.some(({ hasCode }) => hasCode))
    log.warn(
      { payTo, networks: missing },
      "payTo is a contract on one network and not on others; money that arrives there may be lost",
    )
}
