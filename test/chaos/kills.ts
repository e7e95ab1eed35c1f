/**
 * Kills a service under load at every named step and at random moments, and reports lost or doubled effects.
 */
import { setTimeout as delay } from "node:timers/promises"
import { intakeSteps } from "../../server/grants/grant-type.ts"
import { settlementSteps } from "../../server/settlement/settlement.ts"
import { buy } from "./buyers.ts"
import { type Deployment, prepareDeployment, type Sold } from "./deployment.ts"
import { openFastChain } from "./fast-chain.ts"
import { randomOf } from "./random.ts"
import { createTally, type Row, type Tally } from "./table.ts"

/** Every named step at which a process may die. */
export const crashPoints: readonly string[] = [...intakeSteps, ...settlementSteps]

export type KillOptions = {
  /** Number of kills at random moments, beside one at each crash point. */
  readonly kills: number
  readonly seed: number
  /** Number of services, each with its own database, that are killed side by side; default 2. */
  readonly lanes?: number
  readonly onProgress?: (done: number, all: number) => void
}

export type KillReport = {
  readonly rows: readonly Row[]
  readonly sales: number
  /** Sales that were answered before a kill: every one must exist at the end. */
  readonly acknowledged: number
}

const buyersPerKill = 6
const longestLifeMs = 1500
const reachSeconds = 20

export async function killEverywhere(options: KillOptions): Promise<KillReport> {
  const { kills, seed, lanes = 2, onProgress = () => {} } = options
  const random = randomOf(seed)
  const steps = [...crashPoints, ...Array.from({ length: kills }, () => undefined)]
  const all = steps.length
  const tallies = new Map(steps.map((step) => [step, createTally(nameOf(step))]))
  const books = createTally("books after all kills")
  // The chain runs at real speed, because the services are separate processes with the machine's clock.
  const fastChain = await openFastChain({ speed: 1 })
  const sold: Sold[] = []
  let done = 0
  const work = async () => {
    const deployment = await prepareDeployment(fastChain.chain)
    const soldHere: Sold[] = []
    try {
      while (steps.length > 0) {
        const step = steps.shift()
        const tally = tallies.get(step) ?? books
        soldHere.push(...(await kill(deployment, step, random, tally)))
        onProgress(++done, all)
      }
      await deployment.audit(await deployment.start(books), soldHere, books)
      sold.push(...soldHere)
    } finally {
      await deployment.close()
    }
  }
  try {
    await Promise.all(Array.from({ length: lanes }, work))
  } finally {
    await fastChain.close()
  }
  return {
    rows: [...tallies.values(), books].map((tally) => tally.row()),
    sales: sold.length,
    acknowledged: sold.filter(({ sale }) => sale.isAcknowledged).length,
  }
}

const nameOf = (step: string | undefined): string =>
  step === undefined ? "kill -9 at a random moment" : `kill -9 at "${step}"`

/** Starts the service, sells, and kills it at the step. */
async function kill(
  deployment: Deployment,
  step: string | undefined,
  random: () => number,
  tally: Tally,
): Promise<readonly Sold[]> {
  // The kill comes at the second sale, so that the first has been answered; in settlement all sales may share
  // one transaction, so there it comes at the first.
  const count = intakeSteps.some((each) => each === step) ? 2 : 1
  const order = step === undefined ? {} : { killAt: { step, count } }
  const [service, sales] = await Promise.all([
    deployment.start(tally, order),
    deployment.prepareSales(buyersPerKill),
  ])
  const load = sales.map(async (sale) => {
    await delay(random() * 200)
    await buy(deployment.url, sale)
  })
  if (step === undefined) {
    await delay(random() * longestLifeMs)
    await service.kill("SIGKILL")
    tally.tried()
  } else if ((await Promise.race([service.ended, delay(reachSeconds * 1000, "alive")])) === "SIGKILL") {
    tally.tried()
  } else {
    tally.flaw({ kind: "stuckJobs", line: "the step was not reached" })
    await service.kill("SIGKILL")
  }
  await Promise.all(load)
  return sales.map((sale) => ({ sale, tally }))
}
