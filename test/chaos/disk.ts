/** A disk without room, from every named step on and at every page that the database grows by. */
import { execFile } from "node:child_process"
import { readFile, stat } from "node:fs/promises"
import { setTimeout as delay } from "node:timers/promises"
import { promisify } from "node:util"
import type { ServiceProcess } from "../support/spawn-service.ts"
import { buy } from "./buyers.ts"
import { crashPoints } from "./kills.ts"
import { createTally, type Row, type Tally } from "./table.ts"
import { prepareVictim, type Sold, type Victim } from "./victim.ts"
import { openWorld } from "./world.ts"

export type DiskOptions = {
  /** Pages by which the database may still grow, in as many tries. */
  readonly pages: number
  readonly onProgress?: (done: number, all: number) => void
}

const run = promisify(execFile)
const buyersPerTry = 4
/** A page and its header in the write-ahead log. */
const frameBytes = 4096 + 24
const fullMs = 1000
const reachSeconds = 20

export async function diskFull({ pages, onProgress = () => {} }: DiskOptions): Promise<readonly Row[]> {
  const world = await openWorld({ speed: 1 })
  const victim = await prepareVictim(world.chain)
  const atSteps = createTally("disk full from a named step on")
  const atPages = createTally("disk full at a page")
  const starts = createTally("started on a full disk")
  const books = createTally("the books after full disks")
  const sold: Sold[] = []
  let done = 0
  const noteDone = () => onProgress(++done, crashPoints.length + pages + 1)
  try {
    for (const step of crashPoints) {
      // A new one each time: a worker that met a full disk rests for longer and longer.
      const service = await victim.start(books, { fullAt: [step] })
      const full = async () => {
        for (let waited = 0; waited < reachSeconds * 1000; waited += 20) {
          if (await isFull(service)) return atSteps.tried()
          await delay(20)
        }
        atSteps.flaw({ kind: "stuckJobs", line: `the step ${step} was not reached` })
      }
      sold.push(...(await sellThrough(victim, service, atSteps, full)))
      await service.kill("SIGKILL")
      noteDone()
    }
    let service = await victim.start(books)
    for (let page = 0; page < pages; page++) {
      const full = async () => {
        const { size } = await stat(`${victim.database}-wal`)
        await limit(service, String(size + page * frameBytes + 1))
        atPages.tried()
      }
      sold.push(...(await sellThrough(victim, service, atPages, full)))
      noteDone()
    }
    await service.kill("SIGKILL")
    service = await startFull(victim, starts)
    noteDone()
    await victim.audit(service, sold, books)
  } finally {
    await victim.close()
    await world.close()
  }
  return [atSteps, atPages, starts, books].map((tally) => tally.row())
}

/** Customers come, the disk fills up, stays full for a while and has room again. */
async function sellThrough(
  victim: Victim,
  service: ServiceProcess,
  tally: Tally,
  full: () => Promise<void>,
): Promise<readonly Sold[]> {
  const sales = await victim.prepareSales(buyersPerTry)
  const [early, late] = [sales.slice(0, 2), sales.slice(2)]
  const buying = early.map((sale) => buy(victim.url, sale))
  await full()
  // What is refused for lack of room is bought by the proven retry of the audit.
  await Promise.all([...buying, ...late.map((sale) => buy(victim.url, sale)), delay(fullMs)])
  await limit(service, "unlimited")
  return sales.map((sale) => ({ sale, tally }))
}

/** A service that cannot write may refuse to start or to sell; with room it does both. */
async function startFull(victim: Victim, tally: Tally): Promise<ServiceProcess> {
  const service = await victim.start(tally, { fileBytes: 0 }).catch(() => undefined)
  tally.tried()
  if (!service) return victim.start(tally)
  await limit(service, "unlimited")
  return service
}

const limit = ({ pid }: ServiceProcess, bytes: string) =>
  run("prlimit", [`--pid=${pid}`, `--fsize=${bytes}:`])

async function isFull({ pid }: ServiceProcess): Promise<boolean> {
  const limits = await readFile(`/proc/${pid}/limits`, "utf8")
  return /^Max file size +0 /m.test(limits)
}
