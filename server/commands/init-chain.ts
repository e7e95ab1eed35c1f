/** `init-chain`: deploys the contract that settles many payments in one transaction, on every network that lacks it. */
import { randomBytes } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"
import { findNetwork, networks } from "../../shared/networks/index.ts"
import { createLogger } from "../app/log.ts"
import { createEvmChain } from "../chains/evm.ts"
import { createRelayers } from "../chains/relayer.ts"
import { type Config, ConfigError } from "../config/config.ts"
import { settlerDeployment } from "../core/batch.ts"
import { settlerAddress } from "../core/settler.ts"
import { openRelayerKeys } from "../keys/index.ts"
import { type Chain, ChainMismatch, ChainUnavailable, type Relayer } from "../ports/chain.ts"
import type { RelayTransaction } from "../ports/records.ts"
import { Fenced, type Store, StoreUnavailable } from "../ports/store.ts"
import { createSettlement } from "../settlement/settlement.ts"
import { type CommandIo, nowSeconds, onConfig, openOwnStore, printJson } from "./with-store.ts"

export type InitChainOptions = {
  readonly config: string
  /** CAIP-2 id; all that are configured when not given. */
  readonly network?: string
}

export type InitChainIo = CommandIo & {
  /** How long a deployment may take to be mined; 180 when not given. */
  readonly patienceSeconds?: number
}

/** Something outside the configuration must be mended first. */
class NotDeployable extends Error {
  constructor(message: string) {
    super(message)
    this.name = "NotDeployable"
  }
}

type Site = {
  readonly store: Store
  /** The first deploys; the others' payments are looked after meanwhile, like its own. */
  readonly relayers: readonly [Relayer, ...Relayer[]]
  readonly config: Config
}

/** Resolves with the exit code. A network that cannot be served holds up no other. */
export const initChain = (options: InitChainOptions, io: InitChainIo): Promise<number> =>
  onConfig(options.config, io, async (config) => {
    const { network } = options
    const chosen = network === undefined ? undefined : (findNetwork(network)?.id ?? network)
    const wanted = Object.keys(config.networks).filter((id) => (chosen ?? id) === id)
    if (wanted.length === 0) throw new ConfigError([`--network: ${network} is not configured`])
    const relayers = createRelayers(
      await openRelayerKeys(config.relayer.privateKeyFile, { environment: io.environment }),
    )
    const store = await openOwnStore(config)
    let code = 0
    try {
      for (const id of wanted) {
        try {
          printJson(io, await init(id, { store, relayers, config }, io))
        } catch (error) {
          code = 1
          io.warn(`${options.config}: ${id}: ${messageOf(error)}`)
        }
      }
    } finally {
      await store.close()
    }
    return code
  })

const leaseTaken = "a service settles from this database: stop it and run this again"

async function init(id: string, { store, relayers, config }: Site, io: InitChainIo): Promise<object> {
  const network = networks.get(id)
  const [relayer] = relayers
  if (!network) throw new NotDeployable("this network is not known")
  const chain = createEvmChain({ network, rpcUrls: config.networks[id]?.rpcUrls ?? [], assets: [] })
  await chain.ready()
  const answer = { network: id, settler: settlerAddress }
  if (await chain.hasCode(settlerAddress)) return { ...answer, deployed: false }
  if (!(await chain.hasCode(settlerDeployment.to)))
    throw new NotDeployable(`there is no CREATE2 deployer at ${settlerDeployment.to} on this network`)

  // The holder of the lease counts the nonces of the relayer, in the store.
  const holder = `init-chain ${randomBytes(16).toString("hex")}`
  const renew = async () => {
    const lease = await store.lease({ holder, seconds: 5, now: nowSeconds() })
    if (!lease) throw new NotDeployable(leaseTaken)
    return lease.fence
  }
  let fence = await renew()
  try {
    const pending = (await store.inFlight({ fence, network: id })).find(
      ({ transaction }) => transaction.to === settlerDeployment.to,
    )
    const { nonce } = pending?.transaction ?? (await prepare({ store, relayer, chain, fence }))
    const settlement = createSettlement({
      store,
      chain,
      relayers,
      confirmations: config.networks[id]?.confirmations ?? 1,
      failedGasBudget: BigInt(config.limits.failedGas),
      now: nowSeconds,
      chance: Math.random,
      log: createLogger(config.logLevel),
    })
    const deadline = performance.now() + (io.patienceSeconds ?? 180) * 1000
    for (;;) {
      // The settlement looks after it as after any other transaction; it is stored, whatever happens here.
      fence = await renew()
      await settlement.advance(fence)
      const known = await store.transactionAt({ fence, network: id, relayer: relayer.address, nonce })
      if (known?.state === "done" && (await chain.hasCode(settlerAddress)))
        return { ...answer, deployed: true, transaction: await minedHash(chain, known) }
      if (performance.now() > deadline)
        throw new NotDeployable("the deployment is sent but not in a block yet: run this again later")
      await delay(250)
    }
  } finally {
    await store.release({ fence }).catch((error: unknown) => {
      // Another process has it by now.
      if (!(error instanceof Fenced)) throw error
    })
  }
}

/** Stores the deployment as the relayer's next transaction; nothing is sent yet. */
async function prepare({
  store,
  relayer,
  chain,
  fence,
}: {
  readonly store: Store
  readonly relayer: Relayer
  readonly chain: Chain
  readonly fence: number
}): Promise<RelayTransaction> {
  const { address } = relayer
  const network = chain.network.id
  const [needed, fees, balance, chainNonce] = await Promise.all([
    chain.estimateGas({ from: address, ...settlerDeployment }),
    chain.fees(),
    chain.gasBalance(address),
    chain.nonceOf(address),
  ])
  if (needed === null) throw new NotDeployable("the deployer refuses the deployment")
  const gas = (needed * 12n) / 10n
  const price = gas * fees.maxFeePerGas
  if (balance < price)
    throw new NotDeployable(`the relayer ${address} has ${balance} wei of gas money, wanted ${price}`)
  const { nonce } = await store.nextNonce({ fence, network, relayer: address, chainNonce })
  const transaction = { ...settlerDeployment, gas, nonce }
  const version = await relayer.sign({ chainId: chain.network.chainId, fees, ...transaction })
  return store.prepare({
    fence,
    network,
    relayer: address,
    version,
    redemptions: [],
    now: nowSeconds(),
    ...transaction,
  })
}

async function minedHash(chain: Chain, { versions }: RelayTransaction): Promise<string | undefined> {
  for (const { hash } of versions) if (await chain.receipt(hash)) return hash
  return undefined
}

/** Returns the message of a problem that the operator can correct. Other errors are defects. */
function messageOf(error: unknown): string {
  // The lease can pass to a service between two verbs of the store as well.
  if (error instanceof Fenced) return leaseTaken
  const known = [NotDeployable, ChainUnavailable, ChainMismatch, StoreUnavailable]
  if (error instanceof Error && known.some((kind) => error instanceof kind)) return error.message
  throw error
}
