/** Kills a service under load, at every named step and at random moments, and says whether anything was lost or doubled. */
import { setTimeout as delay } from "node:timers/promises"
import { intakeSteps } from "../../server/grants/grant-type.ts"
import { settlementSteps } from "../../server/settlement/settlement.ts"
import { buy } from "./buyers.ts"
import { randomOf } from "./random.ts"
import { createTally, type Row, type Tally } from "./table.ts"
import { prepareVictim, type Sold, type Victim } from "./victim.ts"
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
const reachSeconds = 20

export async function killEverywhere(options: KillOptions): Promise<KillReport> {
  const { kills, seed, lanes = 2, onProgress = () => {} } = options
  const random = randomOf(seed)
  const places = [...crashPoints, ...Array.from({ length: kills }, () => undefined)]
  const all = places.length
  const tallies = new Map(places.map((place) => [place, createTally(nameOf(place))]))
  const books = createTally("the books after all kills")
  // At the speed of our clock, because the services are processes of their own.
  const world = await openWorld({ speed: 1 })
  const sold: Sold[] = []
  let done = 0
  const work = async () => {
    const victim = await prepareVictim(world.chain)
    const mine: Sold[] = []
    try {
      while (places.length > 0) {
        const place = places.shift()
        const tally = tallies.get(place) ?? books
        mine.push(...(await kill(victim, place, random, tally)))
        onProgress(++done, all)
      }
      await victim.audit(await victim.start(books), mine, books)
      sold.push(...mine)
    } finally {
      await victim.close()
    }
  }
  try {
    await Promise.all(Array.from({ length: lanes }, work))
  } finally {
    await world.close()
  }
  return {
    rows: [...tallies.values(), books].map((tally) => tally.row()),
    sales: sold.length,
    acknowledged: sold.filter(({ sale }) => sale.isAcknowledged).length,
  }
}

const nameOf = (place: string | undefined): string =>
  place === undefined ? "kill -9 at a random moment" : `kill -9 at "${place}"`

/** Starts the service, sells, and kills it at the step. */
async function kill(
  victim: Victim,
  step: string | undefined,
  random: () => number,
  tally: Tally,
): Promise<readonly Sold[]> {
  // At the second sale, so that the first is acknowledged; but all of them may share one transaction.
  const count = intakeSteps.some((each) => each === step) ? 2 : 1
  const order = step === undefined ? {} : { killAt: { step, count } }
  const [service, sales] = await Promise.all([victim.start(tally, order), victim.prepareSales(buyersPerKill)])
  const load = sales.map(async (sale) => {
    await delay(random() * 200)
    await buy(victim.url, sale)
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
  return sales.map((sale) => ({ sale, tally }))
}
