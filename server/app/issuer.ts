/** The composition root: brings use cases and edges together into a running service. */

import type { AdminHandler } from "../admin/handler.ts"
import { createRecovery } from "../chains/recovery.ts"
import { createRelayers } from "../chains/relayer.ts"
import { createSignatureQueue } from "../chains/signature-queue.ts"
import { type Config, type ConfigInput, parseConfig } from "../config/config.ts"
import type { Subscribe } from "../delivery/subscriptions.ts"
import { createClockWatch } from "../feeds/clock-watch.ts"
import { createHeartbeat } from "../feeds/heartbeat.ts"
import type { HandleGate } from "../gate/handle-gate.ts"
import { createProofCheck } from "../gate/proof-check.ts"
import { endpointsOf } from "../http/metadata.ts"
import type { Router } from "../http/router.ts"
import { openRelayerKeys, verifyProof } from "../keys/index.ts"
import { createFigures } from "../metrics/figures.ts"
import { observedKeys } from "../metrics/observed-keys.ts"
import { observedSales } from "../metrics/observed-sales.ts"
import { observedStore } from "../metrics/observed-store.ts"
import type { Logger } from "../ports/runtime.ts"
import { createAdmin } from "./admin.ts"
import { createBookkeeping, openBooks, openServiceStore, startBooks } from "./books.ts"
import { connect } from "./connections.ts"
import { createDelivery } from "./delivery.ts"
import { openFeeds } from "./feeds.ts"
import { createGateParts, createRouteGate } from "./gate.ts"
import { type IssuerOptions, requireKnownOptions } from "./issuer-options.ts"
import { openServiceKeys } from "./keys.ts"
import { createLifecycle } from "./lifecycle.ts"
import { createLogger } from "./log.ts"
import { createServiceMetrics } from "./metrics.ts"
import { createRoutes } from "./routes.ts"
import { createRuntime, type Runtime } from "./runtime.ts"
import { createSales, createShops } from "./sales.ts"
import { createSettling } from "./settling.ts"
import {
  checkAccounts,
  checkChains,
  checkPrices,
  checkRuntime,
  warnOfPrices,
  warnOfRecipient,
} from "./start-checks.ts"
import { logStart } from "./start-line.ts"

/** A running service: a gate to put before routes, endpoints to mount, and the worker that settles. */
export type Issuer = {
  readonly config: Config
  /** The account that pays gas; it must be funded on every network before tokens are sold. */
  readonly relayer: `0x${string}`
  /** All relayers, the one above first. */
  readonly relayers: readonly `0x${string}`[]
  /** Decides a request to a gated route, for an adapter of any framework. */
  readonly handleGate: HandleGate
  readonly router: Router
  /** Answers requests of operators; undefined without `admin.tokens`. */
  readonly admin: AdminHandler | undefined
  /** Hands new entries of the ledger to a function, each at least once and in order. */
  readonly subscribe: Subscribe
  /** The metrics of this process in the text format of Prometheus. Rejects while the store does not answer. */
  metrics(): Promise<string>
  /** Adapters report their failures here. */
  readonly log: Logger
  /** Asks callers to stay away: not ready any more, and new requests for tokens are refused with 503. */
  drain(): void
  /** Drains, finishes the settlement step under way and closes the store. Idempotent. */
  close(): Promise<void>
}

/**
 * Throws ConfigError, KeyFileError, BrokenBooks or StoreUnavailable when it cannot start, and leaves nothing open then. A
 * chain that is down only delays sales.
 */
export async function createIssuer(input: ConfigInput, options: IssuerOptions = {}): Promise<Issuer> {
  checkRuntime(process.versions.node)
  requireKnownOptions(options)
  const config = parseConfig(input, options.environment)
  checkPrices(config, options.prices ?? {})
  const log = options.log ?? createLogger(config.logLevel)
  const lifecycle = createLifecycle()
  try {
    const issuer = await compose(config, options, createRuntime(log, options.now, lifecycle))
    await lifecycle.start()
    return {
      ...issuer,
      close() {
        issuer.drain()
        return lifecycle.close()
      },
    }
  } catch (error) {
    await lifecycle
      .close()
      .catch((left: unknown) => log.error({ err: left }, "a failed start left something open"))
    throw error
  }
}

async function compose(
  config: Config,
  options: IssuerOptions,
  runtime: Runtime,
): Promise<Omit<Issuer, "close">> {
  const { now, random, log, own } = runtime
  const endpoints = endpointsOf(config.issuer, config.resource)
  const holder = Buffer.from(random(16)).toString("hex")

  const metrics = createServiceMetrics(config)
  const measured = observedStore(await openServiceStore(config, runtime), metrics)
  const { store, tail, subscribe } = createDelivery(measured, runtime)
  const keys = observedKeys(await openServiceKeys(config, store, options, runtime), metrics)
  const relayerKeys = await openRelayerKeys(config.relayer.privateKeyFile, {
    environment: options.environment,
    log,
  })
  const relayers = createRelayers(relayerKeys)
  const connections = connect(config, log, metrics.onCall)
  own(connections, { stop: connections.close })
  const { budgets } = connections
  const clock = createClockWatch({ now, log })
  const chains = new Map([...connections.chains].map(([id, chain]) => [id, clock.watch(chain)] as const))
  await checkChains(chains, log)
  await checkAccounts(config, relayers, chains)
  await warnOfRecipient(config, relayers, chains, log)

  const books = await openBooks(config, { store, keys }, runtime)
  const feeds = await openFeeds(
    config,
    { keys, functions: options.prices ?? {}, chains, relayers },
    books,
    runtime,
  )
  const { board, assets, keyFeed, prices, revocations, whitelist, noteEnded } = feeds
  const onMined = (network: string, gas: bigint, payments: number) => {
    metrics.onMined(network, gas, payments)
    shops.get(network)?.funding.noteMined(gas, payments)
  }
  const { onOutcome } = metrics
  const settling = { store, chains, relayers, holder, onEnded: noteEnded, onMined, onOutcome }
  const { worker, waits } = createSettling(config, settling, options, runtime)
  const bookkeeper = createBookkeeping(config, books, { chains, relayers, holding: worker.holding }, runtime)
  const shops = createShops(config, chains, { relayers, checkBooks: bookkeeper.check, keys, assets }, runtime)
  const funding = new Map([...shops].map(([id, shop]) => [id, shop.funding]))
  metrics.gauges(createFigures({ store, limits: config.limits, funding, now }))
  await warnOfPrices(config, funding, log)

  const checkProof = createProofCheck(
    { verify: verifyProof, keys, store, now },
    { nonces: config.dpopNonces },
  )
  const sales = createSales(
    config,
    {
      ...{ store, keys, board, assets, whitelist, waits, shops, budgets, checkProof },
      recover: createSignatureQueue(await createRecovery()),
      onRedeemed: worker.wake,
      onEnded: noteEnded,
      clockSkew: clock.skew,
    },
    { endpoints, onStep: options.onStep, beforeSale: options.beforeSale },
    runtime,
  )
  const endpoint = observedSales(sales, metrics)
  const heartbeat = createHeartbeat({ store, now, log }, holder)
  const gateDeps = { store, keys, feeds, checkProof, holder, endpoints, metrics }
  const gateParts = createGateParts(config, gateDeps, runtime)
  let draining = false
  const router = createRoutes(
    config,
    { store, keys, feeds, shops, endpoint, gateParts, draining: () => draining, clockSkew: clock.skew },
    { endpoints, bodySeconds: options.bodySeconds },
    runtime,
  )

  const admin = await createAdmin(
    config,
    { store, tail, metrics, networks: shops, onEnded: noteEnded, onRetried: worker.wake },
    runtime,
  )

  // A relayer's key may have been used elsewhere: the books learn of that before the worker takes a nonce.
  own(heartbeat, heartbeat)
  own(bookkeeper, { start: () => startBooks(bookkeeper), stop: bookkeeper.stop })
  own(worker, worker)
  for (const each of [
    keyFeed,
    gateParts.metering,
    assets,
    prices,
    revocations,
    whitelist,
    ...funding.values(),
  ])
    own(each, each)
  own(waits, waits)
  for (const [at, { created }] of relayerKeys.entries())
    if (created) log.warn({ relayer: relayers[at]?.address }, "a relayer key was created; send it gas")
  await logStart(config, relayers, chains, log)

  return {
    config,
    relayer: relayers[0].address,
    relayers: relayers.map(({ address }) => address),
    handleGate: createRouteGate(config, gateParts, { router, endpoints }, runtime),
    router,
    admin,
    subscribe,
    metrics: metrics.text,
    log,
    drain() {
      draining = true
      waits.stop()
    },
  }
}
