import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type LocalChain, startLocalChain } from "../../scripts/local-chain.ts"
import { type ConfigInput, parseConfig } from "../../server/config.ts"
import { settlementSteps } from "../../server/settlement.ts"
import type { PaymentRequirements } from "../../shared/x402.ts"
import {
  type Answer,
  balanceOf,
  eventually,
  offer,
  type Purchase,
  postToken,
  preparePurchase,
  retryHeaders,
} from "../support/cinema.ts"
import { sepoliaId } from "../support/offers.ts"
import { type Account, acceptedOf, randomAccount } from "../support/payments.ts"
import { freePort, spawnCinema } from "../support/spawn-cinema.ts"

const price = 10_000n
const purse = 30_000n
const buyersPerKill = 6

let chain: LocalChain
let folder: string
let config: ConfigInput
let port: number
let url: string
let accepted: PaymentRequirements
const payTo = randomAccount()

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  folder = await mkdtemp(join(tmpdir(), "crash-"))
  port = await freePort()
  url = `http://127.0.0.1:${port}`
  config = {
    issuer: url,
    payTo: payTo.address,
    database: `sqlite:${join(folder, "ticket402.db")}`,
    keys: join(folder, "keys"),
    relayer: { privateKeyFile: join(folder, "relayer.key") },
    networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
    offers: [offer("hour", "movies:read", "0.01")],
    limits: { perPayer: "1000", total: "1000" },
    logLevel: "silent",
  }
  accepted = acceptedOf(parseConfig(config).offers[0]!)
})
afterAll(async () => {
  await chain.stop()
  await rm(folder, { recursive: true, force: true })
})

type Sale = { account: Account; purchase: Purchase; answer: Answer | undefined }

async function buy(): Promise<Sale> {
  const account = randomAccount()
  await chain.mint(account.address, purse)
  const purchase = await preparePurchase({ accepted, url }, account)
  // A connection that dies with the process is a lost answer, not a refusal.
  const answer = await postToken(url, purchase.headers).catch(() => undefined)
  return { account, purchase, answer }
}

describe("kill -9", () => {
  it("RPL-04, SET-17, SET-18: at every named step under load, nothing acknowledged is lost and nothing is settled twice", async () => {
    const sales: Sale[] = []
    const killed: string[] = []
    for (const step of settlementSteps) {
      const service = await spawnCinema({ config, port, killAt: { step, count: 2 } })
      await chain.fund(service.relayer)
      sales.push(...(await Promise.all(Array.from({ length: buyersPerKill }, buy))))
      expect(await service.gone, `killed at ${step}`).toBe("SIGKILL")
      killed.push(step)
    }
    expect(killed).toEqual([...settlementSteps])
    const acknowledged = sales.filter((sale) => sale.answer?.status === 200)
    expect(acknowledged.length).toBeGreaterThan(0)

    const service = await spawnCinema({ config, port })
    for (const { purchase, answer } of sales) {
      const again = await postToken(url, answer ? purchase.headers : retryHeaders(purchase))
      if (answer) expect(again.status, "a replay after a crash").toBe(409)
      const proven = await postToken(url, retryHeaders(purchase))
      expect(proven.status).toBe(200)
      if (answer) expect(proven.body.grant.id).toBe(answer.body.grant.id)
    }
    await eventually(
      () => balanceOf(chain, payTo.address),
      (balance) => balance >= price * BigInt(sales.length),
      60,
    )
    for (const { account } of sales) expect(await balanceOf(chain, account.address)).toBe(purse - price)
    expect(await balanceOf(chain, payTo.address)).toBe(price * BigInt(sales.length))
    await service.kill("SIGTERM")
  }, 120_000)
})
