/** The composition root: the one place that knows both the use cases and the edges. */
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { formatAmount } from "../shared/amount.ts"
import { type Address, lowerAddress, parseAddress } from "../shared/evm.ts"
import { networks } from "../shared/networks/index.ts"
import { auditBooks, BrokenBooks } from "./books/audit.ts"
import { createCatchUp } from "./books/catch-up.ts"
import { createIncomeReader } from "./books/income.ts"
import { createBookkeeper } from "./books/keeper.ts"
import { reconcile } from "./books/reconcile.ts"
import { createEvmChain } from "./chains/evm.ts"
import { withReadBudget } from "./chains/read-budget.ts"
import { createRelayers } from "./chains/relayer.ts"
import { createRequestBudget, type RequestBudget } from "./chains/request-budget.ts"
import { createSignaturePool } from "./chains/signature-pool.ts"
import { isWellKnown } from "./chains/well-known.ts"
import { type Config, ConfigError, type ConfigInput, parseConfig } from "./config.ts"
import { brokenLine } from "./core/invariants.ts"
import { createOfferBoard, payeesOf } from "./core/offers.ts"
import { nominalValue } from "./core/payment.ts"
import { differenceLine } from "./core/reconciliation.ts"
import { settlerAddress } from "./core/settler.ts"
import { createProofCheck } from "./dpop.ts"
import { createFeed } from "./feed.ts"
import { createFunding, type Funding } from "./funding.ts"
import { createGate, type Gate } from "./gate.ts"
import { newNonce, nonceSeconds } from "./grants/wallet-nonce.ts"
import { type Challenges, createChallenges } from "./http/challenge.ts"
import { endpointsOf } from "./http/metadata.ts"
import { officeRoutes } from "./http/office.ts"
import { createRate } from "./http/rate.ts"
import { createOffice, type Office } from "./http/routes.ts"
import { createIntrospection } from "./introspection.ts"
import { openKeys, openRelayerKeys, type Signer, verifyProof } from "./keys/index.ts"
import { createLogger } from "./log.ts"
import { createMetering } from "./metering.ts"
import { createFindOwned } from "./owner.ts"
import { type Chain, ChainMismatch, ChainUnavailable, type Relayer } from "./ports/chain.ts"
import type { Logger, Now } from "./ports/runtime.ts"
import { createReceipts } from "./receipt.ts"
import { createRevocation } from "./revocation.ts"
import { createRevocations } from "./revocations.ts"
import { createSettlement } from "./settlement.ts"
import { createStatus } from "./status.ts"
import { openStore } from "./stores/index.ts"
import { createTokenEndpoint, supportedGrantTypes } from "./token.ts"
import { createWaits, type WaitOptions } from "./waits.ts"
import { createWhitelist } from "./whitelist.ts"
import { createWorker, type WorkerOptions } from "./worker.ts"

export type IssuerOptions = {
  /** Where scalars of the configuration may come from besides, e.g. `TICKET402_ISSUER`. */
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

/** A running service: a gate to put before routes, an office to mount, and the back office that settles. */
export type Issuer = {
  readonly config: Config
  /** The account that pays gas; it must be funded on every network before tokens are sold. */
  readonly relayer: `0x${string}`
  /** All of them, the one above first. */
  readonly relayers: readonly `0x${string}`[]
  readonly gate: Gate
  readonly challenges: Challenges
  readonly office: Office
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
  const relayerKeys = await openRelayerKeys(config.relayer.privateKeyFile)
  const relayers = createRelayers(relayerKeys)
  const [relayer] = relayers
  const { chains, budgets } = connect(config, log)
  await checkChains(chains, log)
  await checkAccounts(
    { payTo: config.payTo, ...relayerAccounts(relayers), ...whitelistedAccounts(config) },
    chains,
  )

  const store = await openStore(config.database)
  const broken = await auditBooks(store, { grants: grantsAtStart })
  if (broken.length > 0) {
    await store.close()
    throw new BrokenBooks(broken.map(brokenLine))
  }
  const records = await store.publishOffers({ offers: config.offers, now: now() })
  const board = createOfferBoard(records, config.quoteSeconds)
  const revocations = createRevocations({ store, now, log })
  const { heldBack } = await store.publishWhitelist({ members: config.whitelist, now: now() })
  for (const entry of heldBack)
    log.warn({ entry }, "a command removed this entry of the configuration from the whitelist; it stays out")
  const whitelist = createWhitelist({ store, now, log })
  await Promise.all([keyFeed.refresh(), revocations.refresh(), whitelist.refresh()])

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
  const challenges = createChallenges({ resource: config.resource, endpoints, offers: board.current })
  const find = createFindOwned({ store, keys, now }, names)
  const office = createOffice(
    officeRoutes({
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
      offers: board.current,
      grantTypes: supportedGrantTypes,
      peers: createRate(config.limits.requestsPerPeer),
      bodySeconds: options.bodySeconds,
      gate: { gate, challenges, scopes: scopesOf(config) },
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
    gate,
    challenges,
    office,
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
        revocations.stop(),
        whitelist.stop(),
        signatures.close(),
        metering.stop(),
      ]).then(() => store.close())
      return closing
    },
  }
}

/** By network: the connection, and what may be asked of it in a second. */
type Connections = {
  readonly chains: ReadonlyMap<string, Chain>
  readonly budgets: ReadonlyMap<string, RequestBudget>
}

/** A connection to every network of the configuration. */
export function connect(config: Config, log: Logger): Connections {
  const chains = new Map<string, Chain>()
  const budgets = new Map<string, RequestBudget>()
  for (const [id, { rpcUrls, requestsPerSecond }] of Object.entries(config.networks)) {
    const network = networks.get(id)
    if (!network) continue
    const prices = config.offers.flatMap((offer) => offer.prices.filter((price) => price.network === id))
    const onSale = new Set<string>(prices.map((price) => price.asset))
    const assets = network.assets.filter((asset) => onSale.has(asset.address.toLowerCase()))
    const budget = createRequestBudget(requestsPerSecond)
    const { agreementAbove } = config.limits
    chains.set(id, createEvmChain({ network, rpcUrls, assets, agreementAbove, spend: budget.spend, log }))
    budgets.set(id, budget)
  }
  return { chains, budgets }
}

/** A node of the wrong chain is a configuration error; one that does not answer may come back. */
async function checkChains(chains: ReadonlyMap<string, Chain>, log: Logger): Promise<void> {
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

/** Every scope that is sold or given away. */
const scopesOf = ({ offers, whitelist }: Config): ReadonlySet<string> =>
  new Set([...offers, ...whitelist].flatMap(({ scope }) => scope.split(" ")))

/** What is sold at a loss, and where that could not be told; a testnet's coin costs nothing. */
async function warnOfPrices(
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
      // A node that does not answer yet tells nothing; the door looks again at every payment.
      const cost = await funding
        .get(price.network)
        ?.cost()
        .catch(() => null)
      if (asset && cost && nominalValue(price.amount, asset) < cost)
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
async function checkAccounts(
  accounts: Readonly<Record<string, Address>>,
  chains: ReadonlyMap<string, Chain>,
): Promise<void> {
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
