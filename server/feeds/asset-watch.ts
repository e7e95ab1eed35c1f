/** Watches the assets on sale, and closes the sales of one that would refuse every payment until it accepts them again. */
import { setTimeout as sleep } from "node:timers/promises"
import { type AssetInfo, domainOf } from "../../shared/networks/network.ts"
import { Refusal } from "../../shared/refusals.ts"
import { type Address, domainSeparator, lowerAddress } from "../../shared/values/evm.ts"
import { type AssetFault, type AssetReading, assetFaults, judgeAsset } from "../core/asset-state.ts"
import { type Chain, ChainUnavailable } from "../ports/chain.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import { createFeed, type Feed } from "./feed.ts"

/** An asset on sale, with the accounts to which its money goes. */
export type WatchedAsset = {
  readonly chain: Pick<Chain, "network" | "readAsset">
  readonly asset: AssetInfo
  readonly payTos: readonly Address[]
}

export type AssetWatch = Pick<Feed, "start" | "stop" | "refresh"> & {
  /** Whether nothing is sold for the asset now. */
  isClosed(network: string, asset: Address): boolean
  /** Changes whenever an asset closes or opens. */
  version(): number
  /** Throws the refusal `asset_unavailable` while the asset is closed. */
  check(network: string, asset: Address): void
  /** Throws the same while every asset of the network is closed. */
  checkAny(network: string): void
  /** Reads the asset now, because it refused a transfer. Throws like `check`. */
  look(network: string, asset: Address): Promise<void>
}

/** An open asset is read every few blocks. A closed one is read more often, so that it opens soon. */
const openSeconds = 15
const closedSeconds = 5
const lookMilliseconds = 1000

type Watched = WatchedAsset & {
  readAt: number
  reading: AssetReading | undefined
  fault: AssetFault | null
}

export function createAssetWatch(
  { now, log }: { readonly now: Now; readonly log: Logger },
  { assets, relayers }: { readonly assets: readonly WatchedAsset[]; readonly relayers: readonly Address[] },
): AssetWatch {
  let version = 0
  let looking: Promise<void> | undefined
  let lookedAt = Number.NEGATIVE_INFINITY
  const watched = new Map(
    assets.map((each): [string, Watched] => [
      keyOf(each.chain.network.id, each.asset.address),
      { ...each, readAt: Number.NEGATIVE_INFINITY, reading: undefined, fault: null },
    ]),
  )
  const feed = createFeed({ now, log }, { name: "the assets", read })

  async function read(at: number): Promise<void> {
    const due = [...watched.values()].filter(({ readAt, fault }) => {
      const age = Math.abs(at - readAt)
      return age >= (fault ? closedSeconds : openSeconds)
    })
    await Promise.all(due.map((each) => readOne(each, at)))
  }

  async function readOne(each: Watched, at: number): Promise<void> {
    const { chain, asset, payTos } = each
    each.readAt = at
    try {
      const accounts = [...payTos, ...relayers]
      const reading = await chain.readAsset({ asset: lowerAddress(asset.address), accounts })
      const terms = { domainSeparator: domainSeparator(domainOf(chain.network, asset)), relayers }
      report(each, judgeAsset(reading, each.reading, terms))
      each.reading = reading
    } catch (error) {
      // A node that does not answer says nothing of the asset, and the chain has its own alarm.
      if (!(error instanceof ChainUnavailable)) throw error
    }
  }

  function report(each: Watched, fault: AssetFault | null): void {
    if (fault === each.fault) return
    const fields = { network: each.chain.network.id, asset: each.asset.symbol }
    if (fault) log.error({ ...fields, fault }, `nothing is sold for an asset. ${assetFaults[fault]}`)
    else log.info(fields, "an asset accepts payments again; its sales are open")
    each.fault = fault
    version += 1
  }

  /** Buyers whose payments are refused share one reading a second, so that they cannot flood the node. */
  async function lookSoon(): Promise<void> {
    await sleep(Math.max(0, lookedAt + lookMilliseconds - performance.now()), undefined, { ref: false })
    lookedAt = performance.now()
    for (const each of watched.values()) each.readAt = Number.NEGATIVE_INFINITY
    await feed.refresh()
  }

  function check(network: string, asset: Address): void {
    const fault = watched.get(keyOf(network, asset))?.fault
    if (fault) throw new Refusal("asset_unavailable", assetFaults[fault])
  }

  return {
    start: feed.start,
    stop: feed.stop,
    refresh: feed.refresh,
    isClosed: (network, asset) => Boolean(watched.get(keyOf(network, asset))?.fault),
    version: () => version,
    check,
    checkAny(network) {
      const here = [...watched.values()].filter(({ chain }) => chain.network.id === network)
      const [first] = here
      if (first && here.every(({ fault }) => fault)) check(network, first.asset.address)
    },
    async look(network, asset) {
      looking ??= lookSoon().finally(() => {
        looking = undefined
      })
      await looking
      check(network, asset)
    },
  }
}

const keyOf = (network: string, asset: Address): string => `${network} ${lowerAddress(asset)}`
