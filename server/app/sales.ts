/** Composes the sale of tokens: the networks that sell, their gas, and the token endpoint. */
import { requireScheme } from "../../shared/schemes/index.ts"
import { withReadBudget } from "../chains/read-budget.ts"
import type { RequestBudget } from "../chains/request-budget.ts"
import type { Config } from "../config/config.ts"
import type { AssetWatch } from "../feeds/asset-watch.ts"
import { createFunding, type Funding } from "../feeds/gas-funding.ts"
import { createSaleCheck, type SaleCheck } from "../feeds/sale-check.ts"
import type { CheckProof } from "../gate/proof-check.ts"
import type { TokenDeps } from "../grants/grant-type.ts"
import { createTransferSearch } from "../grants/payment/transfer-search.ts"
import { createTokenEndpoint, type TokenEndpoint } from "../grants/token-endpoint.ts"
import type { Endpoints } from "../http/metadata.ts"
import { createRate } from "../http/rate.ts"
import type { Chain, Relayer, TransferQuery } from "../ports/chain.ts"
import type { Keys } from "../ports/keys.ts"
import type { IssuerOptions } from "./issuer-options.ts"
import type { Runtime } from "./runtime.ts"

/** A network that sells. */
export type Shop = { readonly chain: Chain; readonly funding: Funding; readonly sale: SaleCheck }

/** `checkBooks` throws until the books of a network are complete; nothing is sold there before. */
export function createShops(
  config: Config,
  chains: ReadonlyMap<string, Chain>,
  deps: {
    readonly relayers: readonly Pick<Relayer, "address">[]
    readonly checkBooks: (network: string) => void
    readonly assets: Pick<AssetWatch, "checkAny">
    readonly keys: Keys
  },
  { now, log }: Runtime,
): ReadonlyMap<string, Shop> {
  const { relayers, checkBooks, assets, keys } = deps
  const shops = [...chains].map(([id, chain]): [string, Shop] => {
    const nativePrice = config.networks[id]?.nativePrice
    const ready = async () => {
      checkBooks(id)
      await chain.ready()
    }
    const funding = createFunding({ chain, relayers, nativePrice, now, log })
    const shop = { ...chain, ready }
    const sold = soldOn(id, config)
    const checkAssets = () => assets.checkAny(id)
    const sale = createSaleCheck({ chain: shop, funding, checkAssets, keys, sold, now, log })
    return [id, { chain: shop, funding, sale }]
  })
  return new Map(shops)
}

/** The reads of a sale: one for each asset and scheme on the network. */
function soldOn(network: string, { offers }: Config): readonly Pick<TransferQuery, "scheme" | "asset">[] {
  const prices = offers.flatMap((offer) => offer.prices).filter((price) => price.network === network)
  const byContent = new Map(prices.map(({ scheme, asset }) => [`${scheme} ${asset}`, { scheme, asset }]))
  return [...byContent.values()].map(({ scheme, asset }) => ({ scheme: requireScheme(scheme), asset }))
}

/** Reads for payments that no key has signed: anybody can make such payments up, so their budget is small. */
const contractReads = { concurrent: 8, waiting: 32, perSecond: 100 }

export function createSales(
  config: Config,
  deps: Pick<
    TokenDeps,
    | "store"
    | "keys"
    | "board"
    | "assets"
    | "whitelist"
    | "waits"
    | "recover"
    | "onRedeemed"
    | "onEnded"
    | "clockSkew"
  > & {
    readonly shops: ReadonlyMap<string, Shop>
    readonly budgets: ReadonlyMap<string, RequestBudget>
    readonly checkProof: CheckProof
  },
  options: {
    readonly endpoints: Endpoints
    readonly onStep: IssuerOptions["onStep"]
    readonly beforeSale: IssuerOptions["beforeSale"]
  },
  { now, random, log }: Runtime,
): TokenEndpoint {
  const { shops, budgets, ...others } = deps
  const chainsWithin = (limits: Parameters<typeof withReadBudget>[1]) =>
    mapValues(shops, ({ chain }, id) => withReadBudget(chain, { ...budgets.get(id), ...limits }))
  return createTokenEndpoint(
    {
      ...others,
      chains: chainsWithin({}),
      contracts: chainsWithin(contractReads),
      funding: mapValues(shops, ({ funding }) => funding),
      findTransfer: createTransferSearch({
        now,
        confirmations: (network) => config.networks[network]?.confirmations ?? 1,
      }),
      payers: createRate(config.limits.requestsPerPayer),
      proofs: createRate(config.limits.requestsPerToken),
      now,
      random,
      log,
      ...(options.onStep && { onStep: options.onStep }),
      ...(options.beforeSale && { beforeSale: options.beforeSale }),
    },
    {
      issuer: config.issuer,
      resource: config.resource,
      resources: config.resources,
      statusEndpoint: options.endpoints.status,
      tokenEndpoint: options.endpoints.token,
      network: Object.keys(config.networks)[0] ?? "",
      lives: { full: config.tokenLifeSeconds, pending: config.pendingLifeSeconds },
      limits: config.limits,
    },
  )
}

const mapValues = <V, W>(map: ReadonlyMap<string, V>, change: (value: V, key: string) => W) =>
  new Map([...map].map(([key, value]) => [key, change(value, key)] as const))
