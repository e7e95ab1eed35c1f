/** Several instances of one service: processes of their own on one PostgreSQL, with their keys in it. */
import { randomBytes } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { reconcileCommand } from "../../server/commands/reconcile.ts"
import { type Config, type ConfigInput, parseConfig } from "../../server/config/config.ts"
import type { LocalChain } from "./chain/local-chain.ts"
import { freePort } from "./free-port.ts"
import { configInput, sepoliaId } from "./offers.ts"
import { type Account, acceptedOf, randomAccount } from "./payments.ts"
import { type Purchase, preparePurchase } from "./service.ts"
import type { ProcessOrder } from "./service-process.ts"
import { type ServiceProcess, spawnService } from "./spawn-service.ts"

export type Instance = ServiceProcess & { readonly url: string }

export type Cluster = {
  readonly config: Config
  readonly configFile: string
  /** Those that were started, in this order. */
  readonly instances: readonly Instance[]
  start(order?: Pick<ProcessOrder, "killAt">): Promise<Instance>
  /** An account that can pay, and its payment for an offer. */
  prepare(offer: string): Promise<Purchase & { readonly account: Account }>
  /** The last line of `reconcile`. */
  reconcile(): Promise<{ readonly difference: string; readonly brokenInvariants: number }>
  close(): Promise<void>
}

/** `changes` to the configuration; the offers are `hour`, `hundred` (100 calls) and `first` (settled first). */
export async function prepareCluster(
  chain: LocalChain,
  database: string,
  changes: Partial<ConfigInput> = {},
): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), "cluster-"))
  const keyEncryptionKeyFile = join(folder, "kek")
  await writeFile(keyEncryptionKeyFile, randomBytes(32).toString("hex"), { mode: 0o600 })
  const firstPort = await freePort()
  const issuer = `http://127.0.0.1:${firstPort}`
  const sold = (id: string, more: object) => ({
    ...{ id, scope: "movies:read", durationSeconds: 3600 },
    prices: [{ network: sepoliaId, asset: "USDC", amount: "0.01" }],
    ...more,
  })
  const input = configInput({
    ...{ issuer, database, keyEncryptionKeyFile, keys: "database", databaseConnections: 4 },
    payTo: randomAccount().address,
    relayer: { privateKeyFile: join(folder, "relayer.key") },
    networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
    offers: [sold("hour", {}), sold("hundred", { calls: 100 }), sold("first", { settle: "first" })],
    limits: {
      ...{ perPayer: "1000", newPayer: 1000, total: "1000", requestsPerPeer: 1_000_000 },
      ...{ requestsPerPayer: 1_000_000, requestsPerToken: 1_000_000 },
    },
    ...changes,
  })
  const config = parseConfig(input)
  const configFile = join(folder, "config.json")
  await writeFile(configFile, JSON.stringify(input))
  const instances: Instance[] = []

  return {
    config,
    configFile,
    instances,
    async start(order = {}) {
      const port = instances.length === 0 ? firstPort : await freePort()
      const service = await spawnService({ config: input, port, ...order })
      const instance = { ...service, url: `http://127.0.0.1:${port}` }
      if (instances.length === 0) await chain.fund(service.relayer)
      instances.push(instance)
      return instance
    },
    async prepare(id) {
      const offer = config.offers.find((each) => each.id === id)
      if (!offer) throw new Error(`there is no offer ${id}`)
      const account = randomAccount()
      await chain.mint(account.address, 10_000n)
      return { account, ...(await preparePurchase({ accepted: acceptedOf(offer), url: issuer }, account)) }
    },
    async reconcile() {
      const lines: string[] = []
      const print = (line: string) => void lines.push(line)
      await reconcileCommand({ config: configFile }, { environment: {}, print, warn: print })
      return JSON.parse(lines.at(-1) ?? "null")
    },
    async close() {
      await Promise.all(instances.map((instance) => instance.kill("SIGTERM")))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
