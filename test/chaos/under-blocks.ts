/** Every fault of a chain at every block after a sale: what the service says is held against the chain, block by block. */
import { setTimeout as delay } from "node:timers/promises"
import { checkInvariants } from "../support/invariants.ts"
import { type Answer, postToken, preparePurchase, retryHeaders } from "../support/service.ts"
import { noteBooks } from "./books.ts"
import { type ChainFault, chainFaults, depth, type Sold } from "./chain-faults.ts"
import { fileOf, type Lane, openLane } from "./lane.ts"
import { transfersOf } from "./stories.ts"
import { createTally, type Row, type Tally } from "./table.ts"
import { blockMs, openWorld } from "./world.ts"

export type UnderBlocksOptions = {
  /** Chains at work at once. */
  readonly worlds?: number
  /** Of the faults' moments, every how many-th is tried; 1 when not given. */
  readonly every?: number
  readonly onProgress?: (done: number, all: number) => void
}

const customersPerTry = 4
/** Seconds of ours: six minutes of the world's. */
const longestSeconds = 40

export async function underBlocks(options: UnderBlocksOptions = {}): Promise<readonly Row[]> {
  const { worlds: count = 3, every = 1, onProgress = () => {} } = options
  const tallies = new Map(chainFaults.map((fault) => [fault, createTally(fault.name)]))
  const tries = chainFaults
    .flatMap((fault) => fault.after.map((blocks) => ({ fault, blocks })))
    .filter((_, at) => at % every === 0)
  const all = tries.length
  let done = 0
  const work = async () => {
    const world = await openWorld()
    let lane: Lane | undefined
    try {
      for (let next = tries.shift(); next; next = tries.shift()) {
        lane ??= await openLane(world, { confirmations: depth })
        const tally = tallies.get(next.fault)
        const isGood = tally && (await strike(lane, next.fault, next.blocks, tally))
        onProgress(++done, all)
        if (isGood) continue
        // What one fault leaves behind must not excuse or accuse another.
        await lane.close()
        lane = undefined
      }
    } finally {
      await lane?.close()
      await world.close()
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, all) }, work))
  const rows = [...tallies.values()].map((tally) => tally.row())
  return every === 1 ? rows : rows.filter(({ tries }) => tries > 0)
}

/** Whether the service may be struck again. */
async function strike(lane: Lane, fault: ChainFault, blocks: number, tally: Tally): Promise<boolean> {
  const { service, world } = lane
  const before = tally.row().wrong.length
  const where = (line: string) => `block ${blocks}: ${line}`
  const customers = await Promise.all(Array.from({ length: customersPerTry }, () => lane.customer()))
  // Deeper than any reorg: what was set up must not go away with it.
  await delay(10 * blockMs)
  const sold: Sold[] = []
  await Promise.all(
    customers.map(async (customer) => {
      const purchase = await preparePurchase(service, customer, { now: world.now() })
      const { status } = await postToken(service.url, purchase.headers)
      if (status === 200) sold.push({ customer, purchase })
      else
        tally.flaw({ kind: "wrongVerdicts", line: where(`before the fault a sale was refused: ${status}`) })
    }),
  )
  tally.tried()
  await delay(blocks * blockMs)
  await fault.act(lane, sold)
  await Promise.all(sold.map((each) => follow(lane, each, fault, tally, where)))
  const findings = await checkInvariants(fileOf(lane), world.chain, service.payTo.address)
  const broken = findings.broken.filter((line) => !fault.breaks || !line.startsWith(fault.breaks))
  noteBooks(tally, { ...findings, broken: broken.map(where) })
  return fault.breaks === undefined && tally.row().wrong.length === before
}

type Word = "settled" | "failed" | "pending"

const wordOf = ({ status, body }: Answer): Word => {
  if (status === 200) return body.grant.settlement.state
  return body.reason === "settlement_failed" ? "failed" : "pending"
}

/** Until the service and the chain agree that it is over, and still do some blocks later. */
async function follow(
  lane: Lane,
  { customer, purchase }: Sold,
  fault: ChainFault,
  tally: Tally,
  where: (line: string) => string,
): Promise<void> {
  const { service, world } = lane
  const until = performance.now() + longestSeconds * 1000
  let agreed = 0
  for (;;) {
    const word = wordOf(await postToken(service.url, retryHeaders(purchase)))
    const isPaid = (await transfersOf(world, customer.address, service.payTo.address)).length > 0
    const agrees = word === (isPaid ? "settled" : "failed")
    agreed = agrees ? agreed + 1 : 0
    if (agreed > depth) return
    if (word === "settled" && !isPaid && fault.isFinal)
      return tally.flaw({ kind: "wrongVerdicts", line: where("settled, and no money on the chain") })
    if (performance.now() > until) {
      const line = where(`${word}, and the money is ${isPaid ? "" : "not "}there`)
      return tally.flaw({ kind: word === "pending" ? "stuckJobs" : "wrongVerdicts", line })
    }
    await delay(blockMs)
  }
}
