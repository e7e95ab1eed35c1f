import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parseConfig } from "../../server/config/config.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { freePort } from "../support/free-port.ts"
import { checkInvariants } from "../support/invariants.ts"
import { configInput, sepoliaId, storedIn } from "../support/offers.ts"
import { acceptedOf, randomAccount } from "../support/payments.ts"
import { eventually, postToken, preparePurchase, retryHeaders, watch } from "../support/service.ts"
import { type ServiceProcess, spawnService } from "../support/spawn-service.ts"

const payTo = randomAccount().address
const ports: number[] = []
let services: ServiceProcess[] = []
let chain: LocalChain
let folder: string
let database: string
let seller: Parameters<typeof preparePurchase>[0]

/** The requests go to the processes in turn. */
const urlOf = (at: number) => `http://127.0.0.1:${ports[at % ports.length]}`
const customer = async () => {
  const account = randomAccount()
  await chain.mint(account.address, 10_000n)
  return account
}
const settled = () =>
  eventually(
    () => checkInvariants(database, chain, payTo),
    ({ open }) => open === 0,
    30,
  )

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  folder = await mkdtemp(join(tmpdir(), "processes-"))
  database = join(folder, "ticket402.db")
  while (ports.length < 4) ports.push(await freePort())
  // One service with one name: every process sells and accepts the same resource.
  const config = configInput({
    issuer: urlOf(0),
    payTo,
    ...storedIn(folder),
    networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
    limits: { perPayer: "1000", newPayer: 1000, total: "1000", requestsPerPeer: 1_000_000 },
  })
  seller = { accepted: acceptedOf(parseConfig(config).offers[0]!), url: urlOf(0) }
  services = await Promise.all(ports.map((port) => spawnService({ config, port })))
  await chain.fund(services[0]!.relayer)
})
afterAll(async () => {
  await Promise.all(services.map((service) => service.kill("SIGTERM")))
  await chain.stop()
  await rm(folder, { recursive: true, force: true })
})

describe("four processes on one database", () => {
  it("share one relayer and one key ring after a concurrent start", async () => {
    expect(new Set(services.map((service) => service.relayer)).size).toBe(1)
    const { headers } = await preparePurchase(seller, await customer())
    const token = (await postToken(urlOf(0), headers)).body.access_token
    const seen = await Promise.all(ports.map((_, at) => watch(urlOf(at), token)))
    expect(seen.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  })

  it("MI-01, RPL-02: redeem forty identical concurrent payments once", async () => {
    const purchase = await preparePurchase(seller, await customer())
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) => postToken(urlOf(at), purchase.headers)),
    )
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
    expect(answers.filter((answer) => answer.status === 409)).toHaveLength(39)
    const proven = await Promise.all(ports.map((_, at) => postToken(urlOf(at), retryHeaders(purchase))))
    expect(new Set(proven.map((answer) => answer.body.grant.id)).size).toBe(1)
  })

  it("SET-02: accept one of many payments from a balance of one price", async () => {
    const account = await customer()
    const purchases = await Promise.all(Array.from({ length: 12 }, () => preparePurchase(seller, account)))
    const answers = await Promise.all(purchases.map((purchase, at) => postToken(urlOf(at), purchase.headers)))
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
    expect(answers.filter((answer) => answer.body.reason === "insufficient_funds")).toHaveLength(11)
  })

  it("MI-04, SET-20: settle every payment once by one worker", async () => {
    const before = await settled()
    const purchases = await Promise.all(
      Array.from({ length: 40 }, async () => preparePurchase(seller, await customer())),
    )
    const answers = await Promise.all(purchases.map((purchase, at) => postToken(urlOf(at), purchase.headers)))
    expect(answers.map(({ status }) => status)).toEqual(purchases.map(() => 200))
    const after = await settled()
    expect(after.broken).toEqual([])
    expect(after.paid - before.paid).toBe(40)
    expect(after.owed).toBe(after.received)
    // A second worker would have sent unknown transactions or the same payments again.
    const nonce = await chain.request("eth_getTransactionCount", [services[0]!.relayer, "latest"])
    const db = new Sqlite(database, { readonly: true })
    const nonces = db.prepare("SELECT nonce FROM transactions ORDER BY nonce").pluck().all()
    db.close()
    expect(nonces).toEqual(Array.from({ length: Number(nonce) }, (_, at) => at))
  })
})
