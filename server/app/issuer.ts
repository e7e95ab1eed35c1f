/** The composition root: the one place that knows both the use cases and the edges. */
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { createGrantLookup } from "../access/grant-lookup.ts"
import { createIntrospection } from "../access/introspection.ts"
import { createReceipts } from "../access/receipt.ts"
import { createRevocation } from "../access/revocation.ts"
import { createStatus } from "../access/status.ts"
import { auditBooks, BrokenBooks } from "../books/audit.ts"
import { createCatchUp } from "../books/catch-up.ts"
import { createIncomeReader } from "../books/income.ts"
import { createBookkeeper } from "../books/keeper.ts"
import { reconcile } from "../books/reconcile.ts"
import { withReadBudget } from "../chains/read-budget.ts"
import { createRelayers } from "../chains/relayer.ts"
import { createSignaturePool } from "../chains/signature-pool.ts"
import { type Config, type ConfigInput, parseConfig } from "../config/config.ts"
import { brokenLine } from "../core/invariants.ts"
import { createOfferBoard, payeesOf } from "../core/offers.ts"
import { type PriceFunctions, pricingOf } from "../core/pricing.ts"
import { differenceLine } from "../core/reconciliation.ts"
import { createFeed } from "../feeds/feed.ts"
import { createFunding } from "../feeds/gas-funding.ts"
import { createPriceList } from "../feeds/price-list.ts"
import { createQuotes } from "../feeds/quote-seals.ts"
import { createRevocations } from "../feeds/revocation-feed.ts"
import { createWhitelist } from "../feeds/whitelist-feed.ts"
import { createChallenges } from "../gate/challenges.ts"
import { createCors } from "../gate/cors.ts"
import { createGate } from "../gate/gate.ts"
import { createHandleGate, type HandleGate } from "../gate/handle-gate.ts"
import { createMetering } from "../gate/metering.ts"
import { createPayAtRoutes } from "../gate/pay-at-routes.ts"
import { createProofCheck } from "../gate/proof-check.ts"
import { createWaits, type WaitOptions } from "../grants/settlement-waits.ts"
import { createTokenEndpoint, supportedGrantTypes } from "../grants/token-endpoint.ts"
import { newNonce, nonceSeconds } from "../grants/wallet-nonce.ts"
import { endpointRoutes } from "../http/endpoints.ts"
import { endpointsOf } from "../http/metadata.ts"
import { createRate } from "../http/rate.ts"
import { createRouter, type Router } from "../http/router.ts"
import { openKeys, openRelayerKeys, type Signer, verifyProof } from "../keys/index.ts"
import type { Chain } from "../ports/chain.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import { createSettlement } from "../settlement/settlement.ts"
import { createWorker, type WorkerOptions } from "../settlement/worker.ts"
import { openStore } from "../stores/index.ts"
import { connect } from "./connections.ts"
import { createLogger } from "./log.ts"
import { checkAccounts, checkChains, checkPrices, warnOfPrices } from "./start-checks.ts"

export type IssuerOptions = {
  /** By id of the offer: tells those of its prices that have no amount. */
  readonly prices?: PriceFunctions
  /**
   * Scalars of the configuration that override it, e.g. `TICKET402_ISSUER`, and `TICKET402_RELAYER_KEY`, which is deleted
   * there once it is read.
   */
  readonly environment?: Record<string, string | undefined>
  readonly log?: Logger
  /** Seconds since the epoch. */
  readonly now?: Now
  /** Called at every step boundary of an intake or a settlement. */
  readonly onStep?: (step: string) => void
  readonly worker?: WorkerOptions
  /** Signs tokens and receipts in place of keys of the folder: for those whose keys a KMS holds. */
  readonly signer?: Signer
  readonly waits?: WaitOptions
  /** How long the body of a request may take; 10 when not given. */
  readonly bodySeconds?: number
}

/** A running service: a gate to put before routes, endpoints to mount, and the worker that settles. */
export type Issuer = {
  readonly config: Config
  /** The account that pays gas; it must be funded on every network before tokens are sold. */
  readonly relayer: `0x${string}`
  /** All of them, the one above first. */
  readonly relayers: readonly `0x${string}`[]
  /** Decides a request to a gated route, for an adapter of any framework. */
  readonly handleGate: HandleGate
  readonly router: Router
  /** Where adapters report what goes wrong with them. */
  readonly log: Logger
  /** Says that no more should be sent: not ready any more, and new requests for tokens are refused with 503. */
  drain(): void
  /** Drains, finishes the settlement step under way and closes the store. Idempotent. */
  close(): Promise<void>
}

/** How many grants the start looks through; the rest is looked through while the service runs. */
const grantsAtStart = 25_000
/** What a start waits for the books to be compared with the chain, before it answers `recovering` to buyers. */
const catchUpMilliseconds = 2000

/**
 * Throws ConfigError, KeyFileError, BrokenBooks or StoreUnavailable when it cannot start; a chain that is down only delays
 * sales.
 */
export async function createIssuer(input: ConfigInput, options: IssuerOptions = {}): Promise<Issuer> {
  const config = parseConfig(input, options.environment)
  const functions = options.prices ?? {}
  checkPrices(config, functions)
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const log = options.log ?? createLogger(config.logLevel)
  /** Who issues tokens, and for whom. */
  const names = { issuer: config.issuer, resource: config.resource }
  const endpoints = endpointsOf(config.issuer, config.resource)

  const keys = await openKeys(config.keys, {
    now,
    algorithm: config.tokenAlgorithm,
    rotationSeconds: config.keyRotationDays * 86_400,
    log,
    ...(options.signer && { signer: options.signer }),
  })
  const keyFeed = createFeed({ now, log }, { name: "the keys", read: keys.refresh })
  const relayerKeys = await openRelayerKeys(config.relayer.privateKeyFile, {
    environment: options.environment,
    log,
  })
  const relayers = createRelayers(relayerKeys)
  const [relayer] = relayers
  const { chains, budgets } = connect(config, log)
  await checkChains(chains, log)
  await checkAccounts(config, relayers, chains)

  const store = await openStore(config.database)
  const broken = await auditBooks(store, { grants: grantsAtStart })
  if (broken.length > 0) {
    await store.close()
    throw new BrokenBooks(broken.map(brokenLine))
  }
  const records = await store.publishOffers({ offers: config.offers, now: now() })
  const quotes = createQuotes(keys, config.issuer)
  const board = createOfferBoard(records, config.quoteSeconds, quotes.open)
  const revocations = createRevocations({ store, now, log })
  const { heldBack } = await store.publishWhitelist({ members: config.whitelist, now: now() })
  for (const entry of heldBack)
    log.warn({ entry }, "a command removed this entry of the configuration from the whitelist; it stays out")
  const whitelist = createWhitelist({ store, now, log })
  const prices = createPriceList(
    { quotes, now, log },
    {
      offers: board.current,
      pricing: pricingOf(board.current, functions),
      quoteSeconds: config.quoteSeconds,
      perPayment: config.limits.perPayment,
    },
  )
  await Promise.all([keyFeed, revocations, whitelist, prices].map((each) => each.refresh()))

  const noteEnded = () => {
    revocations.refresh().catch((error: unknown) => log.warn({ err: error }, "revocations could not be read"))
  }
  const waits = createWaits({ store }, options.waits)
  const settlements = [...chains.values()].map((chain) =>
    createSettlement({
      store,
      chain,
      relayers,
      confirmations: config.networks[chain.network.id]?.confirmations ?? 1,
      now,
      chance: Math.random,
      log,
      onStep: options.onStep ?? ((step) => log.debug({ step, network: chain.network.id }, "settlement step")),
      onEnded: noteEnded,
      onConcluded: waits.wake,
    }),
  )
  const holder = randomBytes(16).toString("hex")
  const worker = createWorker({ store, settlements, now, log, holder }, options.worker)

  const payees = payeesOf(records.map((record) => record.offer))
  const bookkeeper = createBookkeeper({
    catchUps: [...chains.values()].map((chain) => {
      const network = config.networks[chain.network.id]
      return createCatchUp(
        {
          store,
          chain,
          income: createIncomeReader(chain, payees),
          relayers: relayers.map(({ address }) => address),
          now,
          random: randomBytes,
          log,
        },
        { confirmations: network?.confirmations ?? 1, startBlock: network?.startBlock },
      )
    }),
    audit: async () => {
      const lines = (await auditBooks(store)).map(brokenLine)
      for (const chain of chains.values()) {
        const lastBlocks = Math.ceil(86_400 / chain.network.blockSeconds)
        for (const { differences } of await reconcile({ store, chain, payees }, { lastBlocks }))
          lines.push(...differences.map(differenceLine))
      }
      return lines
    },
    holding: worker.holding,
    log,
  })
  /** As a seller sees it: not ready before the books have all that was paid on it. */
  const withBooks = (chain: Chain): Chain => ({
    ...chain,
    async ready() {
      bookkeeper.check(chain.network.id)
      await chain.ready()
    },
  })
  const shops = new Map([...chains].map(([id, chain]) => [id, withBooks(chain)] as const))

  const funding = new Map(
    [...chains].map(([id, chain]) => {
      const nativePrice = config.networks[id]?.nativePrice
      return [id, createFunding({ chain, relayers, nativePrice, now, log })] as const
    }),
  )
  await warnOfPrices(config, funding, log)
  const signatures = createSignaturePool(log)
  let draining = false

  const checkProof = createProofCheck(
    { verify: verifyProof, keys, store, now },
    { nonces: config.dpopNonces },
  )
  const endpoint = createTokenEndpoint(
    {
      store,
      keys,
      checkProof,
      board,
      whitelist,
      chains: new Map([...shops].map(([id, chain]) => [id, withReadBudget(chain, budgets.get(id))] as const)),
      contracts: new Map(
        [...shops].map(([id, chain]) => {
          const budget = { ...budgets.get(id), concurrent: 8, waiting: 32, perSecond: 100 }
          return [id, withReadBudget(chain, budget)] as const
        }),
      ),
      funding,
      now,
      random: randomBytes,
      recover: signatures.recover,
      payers: createRate(config.limits.requestsPerPayer),
      waits,
      log,
      onRedeemed: () => worker.wake(),
      onEnded: noteEnded,
      ...(options.onStep && { onStep: options.onStep }),
    },
    {
      ...names,
      statusEndpoint: endpoints.status,
      tokenEndpoint: endpoints.token,
      network: Object.keys(config.networks)[0] ?? "",
      lives: { full: config.tokenLifeSeconds, pending: config.pendingLifeSeconds },
      limits: config.limits,
    },
  )
  const metering = createMetering({ store, now, log }, { holder })
  const gate = createGate(
    { keys, keyFeed, revocations, whitelist, checkProof, metering, now },
    { ...names, requestsPerToken: config.limits.requestsPerToken },
  )
  const challenges = createChallenges({
    resource: config.resource,
    endpoints,
    prices,
    x402v1: config.x402v1,
  })
  const find = createGrantLookup({ store, keys, now }, names)
  const router = createRouter(
    endpointRoutes({
      ...names,
      endpoints,
      endpoint,
      status: createStatus(find),
      walletNonce: () => ({ nonce: newNonce(keys, randomBytes, now()), expires_in: nonceSeconds }),
      introspection: createIntrospection(
        { store, keys, revocations, whitelist, now },
        { ...names, clients: config.introspection },
      ),
      isIntrospected: config.introspection.length > 0,
      revocation: createRevocation({ store, keys, whitelist, now, log, onEnded: noteEnded }, names),
      receipt: createReceipts({ find, store, keys, now }, config.issuer),
      keys,
      revocations,
      now,
      prices,
      grantTypes: supportedGrantTypes,
      peers: createRate(config.limits.requestsPerPeer),
      bodySeconds: options.bodySeconds,
      x402v1: config.x402v1,
      gate: {
        handleGate: createHandleGate({ gate, challenges, log }),
        challenges,
        scopes: scopesOf(config),
      },
      health: {
        draining: () => draining,
        storeAge: revocations.age,
        networks: [...shops].flatMap(([id, chain]) => {
          const relayerFunding = funding.get(id)
          return relayerFunding ? [{ chain, funding: relayerFunding }] : []
        }),
      },
    }),
    log,
  )

  await Promise.race([bookkeeper.start(), sleep(catchUpMilliseconds, undefined, { ref: false })])
  worker.start()
  keyFeed.start()
  metering.start()
  prices.start()
  revocations.start()
  for (const each of funding.values()) each.start()
  whitelist.start()
  for (const [at, { created }] of relayerKeys.entries())
    if (created) log.warn({ relayer: relayers[at]?.address }, "a relayer key was created; send it gas")

  let closing: Promise<void> | undefined
  return {
    config,
    relayer: relayer.address,
    relayers: relayers.map(({ address }) => address),
    handleGate: createHandleGate({
      gate,
      challenges,
      log,
      cors: createCors(config.cors),
      payAtRoutes: config.payAtRoutes
        ? createPayAtRoutes({ ...router, tokenEndpoint: endpoints.token, x402v1: config.x402v1 })
        : undefined,
    }),
    router,
    log,
    drain() {
      draining = true
      waits.stop()
    },
    close() {
      draining = true
      for (const each of funding.values()) each.stop()
      waits.stop()
      closing ??= Promise.all([
        worker.stop(),
        bookkeeper.stop(),
        keyFeed.stop(),
        prices.stop(),
        revocations.stop(),
        whitelist.stop(),
        signatures.close(),
        metering.stop(),
      ]).then(() => store.close())
      return closing
    },
  }
}

/** Every scope that is sold or given away. */
const scopesOf = ({ offers, whitelist }: Config): ReadonlySet<string> =>
  new Set([...offers, ...whitelist].flatMap(({ scope }) => scope.split(" ")))
