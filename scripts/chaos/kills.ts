/** Kills a service under load, at every named step and at random moments, and says whether anything was lost or doubled. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { type ConfigInput, parseConfig } from "../../server/config.ts"
import { intakeSteps } from "../../server/grants/grant-type.ts"
import { settlementSteps } from "../../server/settlement.ts"
import { eventually, offer } from "../../test/support/cinema.ts"
import { checkInvariants, checkLedger } from "../../test/support/invariants.ts"
import { sepoliaId } from "../../test/support/offers.ts"
import { acceptedOf, randomAccount } from "../../test/support/payments.ts"
import { type CinemaProcess, freePort, spawnCinema } from "../../test/support/spawn-cinema.ts"
import type { LocalChain } from "../local-chain.ts"
import { noteBooks } from "./books.ts"
import { audit, buy, prepareSale, type Sale } from "./buyers.ts"
import { randomOf } from "./random.ts"
import { createTally, type Row, type Tally } from "./table.ts"
import { openWorld } from "./world.ts"

/** Every named boundary at which a process may die. */
export const crashPoints: readonly string[] = [...intakeSteps, ...settlementSteps]

export type KillOptions = {
  /** At random moments, beside one at each crash point. */
  readonly kills: number
  readonly seed: number
  /** Services, each with a database of its own, that are killed side by side; 2 when not given. */
  readonly lanes?: number
  readonly onProgress?: (done: number, all: number) => void
}

export type KillReport = {
  readonly rows: readonly Row[]
  readonly sales: number
  /** Of the sales, those that were answered before a kill: each must be there at the end. */
  readonly acknowledged: number
}

const buyersPerKill = 6
const longestLifeMs = 1500
const leaseSeconds = 1
const reachSeconds = 20

export async function killEverywhere(options: KillOptions): Promise<KillReport> {
  const { kills, seed, lanes = 2, onProgress = () => {} } = options
  const random = randomOf(seed)
  const places = [...crashPoints, ...Array.from({ length: kills }, () => undefined)]
  const tallies = new Map([...crashPoints, undefined].map((place) => [place, createTally(nameOf(place))]))
  const books = createTally("the books after all kills")
  // At the speed of our clock, because the services are processes of their own.
  const world = await openWorld({ speed: 1 })
  const sales: Sale[] = []
  let done = 0
  const work = async () => {
    const victim = await prepareVictim(world.chain)
    try {
      const mine: { sale: Sale; tally: Tally }[] = []
      while (places.length > 0) {
        const place = places.shift()
        const tally = tallies.get(place) ?? books
        const sold = await victim.kill(place, random, tally)
        mine.push(...sold.map((sale) => ({ sale, tally })))
        onProgress(++done, crashPoints.length + kills)
      }
      sales.push(...mine.map(({ sale }) => sale))
      await victim.audit(mine, books)
    } finally {
      await victim.close()
    }
  }
  try {
    await Promise.all(Array.from({ length: lanes }, work))
  } finally {
    await world.close()
  }
  const rows = [...tallies.values(), books].map((tally) => tally.row())
  return {
    rows: rows.filter(({ fault }) => kills > 0 || fault !== nameOf(undefined)),
    sales: sales.length,
    acknowledged: sales.filter(({ isAcknowledged }) => isAcknowledged).length,
  }
}

const nameOf = (place: string | undefined): string =>
  place === undefined ? "kill -9 at a random moment" : `kill -9 at "${place}"`

/** A service that is started, killed and started again on one database. */
async function prepareVictim(chain: LocalChain) {
  const folder = await mkdtemp(join(tmpdir(), "chaos-"))
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

  async function start(tally: Tally, step?: string): Promise<CinemaProcess> {
    const killAt = step === undefined ? {} : { killAt: { step, count: 2 } }
    const service = await spawnCinema({ config, port, leaseSeconds, ...killAt })
    await chain.fund(service.relayer)
    for (const line of checkLedger(database)) tally.flaw({ kind: "wrongVerdicts", line })
    return service
  }

  async function kill(
    step: string | undefined,
    random: () => number,
    tally: Tally,
  ): Promise<readonly Sale[]> {
    const preparing = Array.from({ length: buyersPerKill }, () => prepareSale(chain, shop))
    const [service, ...sales] = await Promise.all([start(tally, step), ...preparing])
    const load = sales.map(async (sale) => {
      await delay(random() * 200)
      await buy(url, sale)
    })
    if (step === undefined) {
      await delay(random() * longestLifeMs)
      await service.kill("SIGKILL")
      tally.tried()
    } else if ((await Promise.race([service.gone, delay(reachSeconds * 1000, "alive")])) === "SIGKILL") {
      tally.tried()
    } else {
      tally.flaw({ kind: "stuckJobs", line: "the step was not reached" })
      await service.kill("SIGKILL")
    }
    await Promise.all(load)
    return sales
  }

  return {
    kill,
    /** What the last, surviving service says, and what its books say. */
    async audit(sold: readonly { sale: Sale; tally: Tally }[], books: Tally): Promise<void> {
      const service = await start(books)
      for (const { sale, tally } of sold) for (const flaw of await audit(url, sale)) tally.flaw(flaw)
      const findings = await eventually(
        () => checkInvariants(database, chain, payTo),
        ({ open }) => open === 0,
        60,
      ).catch(() => checkInvariants(database, chain, payTo))
      await service.kill("SIGTERM")
      books.tried()
      noteBooks(books, findings)
      if (findings.paid !== sold.length)
        books.flaw({ kind: "wrongVerdicts", line: `${sold.length} sales, ${findings.paid} paid` })
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
