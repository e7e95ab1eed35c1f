/** Fills the disk at every named step and at every page by which the database grows. */
import { execFile } from "node:child_process"
import { readFile, stat } from "node:fs/promises"
import { setTimeout as delay } from "node:timers/promises"
import { promisify } from "node:util"
import type { ServiceProcess } from "../support/spawn-service.ts"
import { buy } from "./buyers.ts"
import { type Deployment, prepareDeployment, type Sold } from "./deployment.ts"
import { openFastChain } from "./fast-chain.ts"
import { crashPoints } from "./kills.ts"
import { createTally, type Row, type Tally } from "./table.ts"

export type DiskOptions = {
  /** Number of tries; each one leaves room for one page more than the try before. */
  readonly pages: number
  readonly onProgress?: (done: number, all: number) => void
}

const run = promisify(execFile)
const buyersPerTry = 4
/** Bytes of a page with its header in the write-ahead log. */
const frameBytes = 4096 + 24
const fullMs = 1000
const reachSeconds = 20

export async function diskFull({ pages, onProgress = () => {} }: DiskOptions): Promise<readonly Row[]> {
  const fastChain = await openFastChain({ speed: 1 })
  const deployment = await prepareDeployment(fastChain.chain)
  const atSteps = createTally("disk full from a named step on")
  const atPages = createTally("disk full at a page")
  const starts = createTally("started on a full disk")
  const books = createTally("books after full disks")
  const sold: Sold[] = []
  let done = 0
  const noteDone = () => onProgress(++done, crashPoints.length + pages + 1)
  try {
    for (const step of crashPoints) {
      // Each step starts a new service, because a worker that met a full disk backs off longer and longer.
      const service = await deployment.start(books, { fullAt: [step] })
      const fillDisk = async () => {
        for (let waited = 0; waited < reachSeconds * 1000; waited += 20) {
          if (await isFull(service)) return atSteps.tried()
          await delay(20)
        }
        atSteps.flaw({ kind: "stuckJobs", line: `the step ${step} was not reached` })
      }
      sold.push(...(await sellThrough(deployment, service, atSteps, fillDisk)))
      await service.kill("SIGKILL")
      noteDone()
    }
    let service = await deployment.start(books)
    for (let page = 0; page < pages; page++) {
      const fillDisk = async () => {
        const { size } = await stat(`${deployment.database}-wal`)
        await limit(service, String(size + page * frameBytes + 1))
        atPages.tried()
      }
      sold.push(...(await sellThrough(deployment, service, atPages, fillDisk)))
      noteDone()
    }
    await service.kill("SIGKILL")
    service = await startFull(deployment, starts)
    noteDone()
    await deployment.audit(service, sold, books)
  } finally {
    await deployment.close()
    await fastChain.close()
  }
  return [atSteps, atPages, starts, books].map((tally) => tally.row())
}

/** Sells while the disk fills up, stays full for a second and gets room again. */
async function sellThrough(
  deployment: Deployment,
  service: ServiceProcess,
  tally: Tally,
  fillDisk: () => Promise<void>,
): Promise<readonly Sold[]> {
  const sales = await deployment.prepareSales(buyersPerTry)
  const [early, late] = [sales.slice(0, 2), sales.slice(2)]
  const buying = early.map((sale) => buy(deployment.url, sale))
  await fillDisk()
  // A sale that fails for lack of room is completed by the proven retry of the audit.
  await Promise.all([...buying, ...late.map((sale) => buy(deployment.url, sale)), delay(fullMs)])
  await limit(service, "unlimited")
  return sales.map((sale) => ({ sale, tally }))
}

/** A service that cannot write may refuse to start or to sell; with room on the disk it does both. */
async function startFull(deployment: Deployment, tally: Tally): Promise<ServiceProcess> {
  const service = await deployment.start(tally, { fileBytes: 0 }).catch(() => undefined)
  tally.tried()
  if (!service) return deployment.start(tally)
  await limit(service, "unlimited")
  return service
}

const limit = ({ pid }: ServiceProcess, bytes: string) =>
  run("prlimit", [`--pid=${pid}`, `--fsize=${bytes}:`])

async function isFull({ pid }: ServiceProcess): Promise<boolean> {
  const limits = await readFile(`/proc/${pid}/limits`, "utf8")
  return /^Max file size +0 /m.test(limits)
}
