/** Opens the books with the offers and the whitelist of the configuration, and keeps them complete while the service runs. */
import { setTimeout as sleep } from "node:timers/promises"
import { auditBooks, BrokenBooks } from "../books/audit.ts"
import { createCatchUp } from "../books/catch-up.ts"
import { createIncomeReader } from "../books/income.ts"
import { type Bookkeeper, createBookkeeper } from "../books/keeper.ts"
import { requireOwnBooks } from "../books/owner.ts"
import { reconcile } from "../books/reconcile.ts"
import type { Config } from "../config/config.ts"
import { brokenLine } from "../core/invariants.ts"
import { type OfferRecord, payeesOf } from "../core/offers.ts"
import { differenceLine } from "../core/reconciliation.ts"
import type { Chain, Relayer } from "../ports/chain.ts"
import type { Keys } from "../ports/keys.ts"
import type { Store } from "../ports/store.ts"
import { openStore, placeOf } from "../stores/index.ts"
import type { Runtime } from "./runtime.ts"

export type Books = { readonly store: Store; readonly records: readonly OfferRecord[] }

/** The start looks through so many grants; the rest is looked through while the service runs. */
const grantsAtStart = 25_000
/** A start waits so long for the books to be compared with the chain, before it answers `recovering` to buyers. */
const catchUpMilliseconds = 2000
const daySeconds = 86_400

/** Throws StoreUnavailable or StoreFileError. */
export async function openServiceStore(config: Config, { own }: Pick<Runtime, "own">): Promise<Store> {
  const store = await openStore(config.database, config)
  return own(store, { stop: store.close })
}

/** Throws StoreUnavailable, StoreFileError or BrokenBooks. */
export async function openBooks(
  config: Config,
  { store, keys }: { readonly store: Store; readonly keys: Pick<Keys, "ringId"> },
  { now, random, log }: Runtime,
): Promise<Books> {
  await enterService(store, config, keys, { now, random, log })
  const broken = await auditBooks(store, { grants: grantsAtStart })
  if (broken.length > 0) throw new BrokenBooks(broken.map(brokenLine))
  const records = await store.publishOffers({ offers: config.offers, now: now() })
  const { heldBack } = await store.publishWhitelist({ members: config.whitelist, now: now() })
  for (const entry of heldBack)
    log.warn({ entry }, "a command removed this entry of the configuration from the whitelist; it stays out")
  return { store, records }
}

async function enterService(
  store: Store,
  { database, issuer, payTo }: Config,
  keys: Pick<Keys, "ringId">,
  { now, random, log }: Pick<Runtime, "now" | "random" | "log">,
): Promise<void> {
  const generation = Buffer.from(random(16)).toString("hex")
  const ring = keys.ringId()
  const known = await store.identify({ issuer, ring, payTo, generation, now: now() })
  requireOwnBooks(placeOf(database), known, { issuer, ring })
  if (known && known.payTo !== payTo)
    log.warn(
      { before: known.payTo, after: payTo },
      "payTo has changed; payments go to another account from now on",
    )
}

export function createBookkeeping(
  config: Config,
  { store, records }: Books,
  deps: {
    readonly chains: ReadonlyMap<string, Chain>
    readonly relayers: readonly Pick<Relayer, "address">[]
    /** Whether this process is the one that settles. */
    readonly holding: () => boolean
  },
  { now, random, log }: Runtime,
): Bookkeeper {
  const chains = [...deps.chains.values()]
  const payees = payeesOf(records.map((record) => record.offer))
  const relayers = deps.relayers.map(({ address }) => address)
  const catchUps = chains.map((chain) => {
    const network = config.networks[chain.network.id]
    const income = createIncomeReader(chain, payees)
    return createCatchUp(
      { store, chain, income, relayers, now, random, log },
      { confirmations: network?.confirmations ?? 1, startBlock: network?.startBlock },
    )
  })

  async function audit(): Promise<readonly string[]> {
    const lines = (await auditBooks(store)).map(brokenLine)
    for (const chain of chains) {
      const lastBlocks = Math.ceil(daySeconds / chain.network.blockSeconds)
      for (const { differences } of await reconcile({ store, chain, payees }, { lastBlocks }))
        lines.push(...differences.map(differenceLine))
    }
    return lines
  }

  return createBookkeeper({ catchUps, audit, holding: deps.holding, log })
}

/** Waits for the first comparison with the chain, but not for a chain that is slow. */
export async function startBooks(bookkeeper: Bookkeeper): Promise<void> {
  const waited = new AbortController()
  const limit = sleep(catchUpMilliseconds, undefined, { ref: false, signal: waited.signal })
  await Promise.race([bookkeeper.start(), limit.catch(() => undefined)])
  waited.abort()
}
