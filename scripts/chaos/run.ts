/** Kills a service under load, at every named step and at random moments, and says whether anything was lost or doubled. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { type ConfigInput, parseConfig } from "../../server/config.ts"
import { intakeSteps } from "../../server/grants/grant-type.ts"
import { settlementSteps } from "../../server/settlement.ts"
import { eventually, offer } from "../../test/support/cinema.ts"
import { checkInvariants, checkLedger, type Findings } from "../../test/support/invariants.ts"
import { sepoliaId } from "../../test/support/offers.ts"
import { acceptedOf, randomAccount } from "../../test/support/payments.ts"
import { freePort, spawnCinema } from "../../test/support/spawn-cinema.ts"
import { type LocalChain, startLocalChain } from "../local-chain.ts"
import { audit, buy, prepareSale, type Sale } from "./buyers.ts"

/** Every named boundary at which a process may die. */
export const crashPoints: readonly string[] = [...intakeSteps, ...settlementSteps]

export type ChaosOptions = {
  /** At random moments, beside one at each crash point. */
  readonly kills: number
  readonly seed: number
  readonly onKill?: (where: string) => void
}

export type ChaosReport = {
  readonly kills: number
  readonly covered: readonly string[]
  readonly sales: number
  readonly acknowledged: number
  /** Acknowledged payments whose grant is gone. */
  readonly lost: number
  /** Grants named by tokens handed out, without a row. */
  readonly tokensWithoutRow: number
  readonly findings: Findings
  /** Everything that is not as it must be, one line each. */
  readonly wrong: readonly string[]
}

const buyersPerKill = 6
const longestLifeMs = 2000
const leaseSeconds = 2

export async function runChaos({ kills, seed, onKill }: ChaosOptions): Promise<ChaosReport> {
  const chain = await startLocalChain({ blockTimeSeconds: 1 })
  const folder = await mkdtemp(join(tmpdir(), "chaos-"))
  try {
    return await kill(chain, folder, { kills, random: randomOf(seed), onKill: onKill ?? (() => {}) })
  } finally {
    await chain.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

type Plan = { kills: number; random: () => number; onKill: (where: string) => void }

async function kill(
  chain: LocalChain,
  folder: string,
  { kills, random, onKill }: Plan,
): Promise<ChaosReport> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const payTo = randomAccount().address
  const database = join(folder, "ticket402.db")
  const config: ConfigInput = {
    issuer: url,
    payTo,
    database: `sqlite:${database}`,
    keys: join(folder, "keys"),
    relayer: { privateKeyFile: join(folder, "relayer.key") },
    networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
    offers: [offer("hour", "movies:read", "0.01")],
    limits: { perPayer: "1000", total: "1000", requestsPerPeer: 1_000_000 },
    logLevel: "silent",
  }
  const [first] = parseConfig(config).offers
  if (!first) throw new Error("the configuration has no offer")
  const shop = { accepted: acceptedOf(first), url }
  const sales: Sale[] = []
  const covered: string[] = []
  const wrong: string[] = []
  const start = async (step?: string) => {
    const killAt = step === undefined ? {} : { killAt: { step, count: 2 } }
    const service = await spawnCinema({ config, port, leaseSeconds, ...killAt })
    await chain.fund(service.relayer)
    wrong.push(...checkLedger(database))
    return service
  }

  const places = [...crashPoints, ...Array.from({ length: kills }, () => undefined)]
  for (const step of places) {
    const prepared = Array.from({ length: buyersPerKill }, () => prepareSale(chain, shop))
    const [service, ...customers] = await Promise.all([start(step), ...prepared])
    sales.push(...customers)
    const load = customers.map(async (sale) => {
      await delay(random() * 200)
      await buy(url, sale)
    })
    if (step === undefined) {
      await delay(random() * longestLifeMs)
      await service.kill("SIGKILL")
    } else if ((await Promise.race([service.gone, delay(20_000, "alive")])) === "SIGKILL") {
      covered.push(step)
    } else {
      wrong.push(`the crash point ${step} was not reached`)
      await service.kill("SIGKILL")
    }
    await Promise.all(load)
    onKill(step ?? "at random")
  }

  const acknowledged = sales.filter((sale) => sale.grantId !== undefined)
  const service = await start()
  const lost = new Set<Sale>()
  for (const sale of sales) {
    const was = sale.grantId
    const lines = await audit(url, sale)
    wrong.push(...lines)
    if (was !== undefined && lines.length > 0) lost.add(sale)
  }
  const findings = await eventually(
    () => checkInvariants(database, chain, payTo),
    ({ open }) => open === 0,
    120,
  )
  await service.kill("SIGTERM")
  const tokensWithoutRow = sales.filter((sale) => [...sale.grantsOfTokens].some((id) => id !== sale.grantId))
  wrong.push(...findings.broken)
  if (findings.owed !== findings.received) wrong.push("I9: what is owed is not what was received")
  if (findings.paid !== sales.length) wrong.push(`${sales.length} sales, ${findings.paid} paid`)
  return {
    kills: places.length,
    covered,
    sales: sales.length,
    acknowledged: acknowledged.length,
    lost: lost.size,
    tokensWithoutRow: tokensWithoutRow.length,
    findings,
    wrong,
  }
}

/** Mulberry32: numbers in [0, 1) that a seed repeats. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
