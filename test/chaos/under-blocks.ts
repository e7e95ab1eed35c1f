/**
 * Injects every chain fault at every block after a sale, and compares the answers of the service with the
 * chain.
 */
import { setTimeout as delay } from "node:timers/promises"
import { checkInvariants } from "../support/invariants.ts"
import { type Answer, postToken, preparePurchase, retryHeaders } from "../support/service.ts"
import { noteBooks } from "./books.ts"
import { type ChainFault, chainFaults, depth, type Sold } from "./chain-faults.ts"
import { blockMs, openFastChain } from "./fast-chain.ts"
import { fileOf, type Lane, openLane } from "./lane.ts"
import { transfersOf } from "./scenarios.ts"
import { createTally, type Row, type Tally } from "./table.ts"

export type UnderBlocksOptions = {
  /** Number of chains that run at the same time. */
  readonly chains?: number
  /** Runs every n-th try only; default 1. */
  readonly every?: number
  readonly onProgress?: (done: number, all: number) => void
}

const customersPerTry = 4
/** Seconds of real time: six minutes of the chain's and more. */
const longestSeconds = 40

export async function underBlocks(options: UnderBlocksOptions = {}): Promise<readonly Row[]> {
  const { chains: count = 3, every = 1, onProgress = () => {} } = options
  const tallies = new Map(chainFaults.map((fault) => [fault, createTally(fault.name)]))
  const tries = chainFaults
    .flatMap((fault) => fault.after.map((blocks) => ({ fault, blocks })))
    .filter((_, at) => at % every === 0)
  const all = tries.length
  let done = 0
  const work = async () => {
    const fastChain = await openFastChain()
    let lane: Lane | undefined
    try {
      for (let next = tries.shift(); next; next = tries.shift()) {
        lane ??= await openLane(fastChain, { confirmations: depth })
        const tally = tallies.get(next.fault)
        const isGood = tally && (await runTry(lane, next.fault, next.blocks, tally))
        onProgress(++done, all)
        if (isGood) continue
        // A lane is replaced after a flaw, so that one fault cannot cause or hide the flaws of the next.
        await lane.close()
        lane = undefined
      }
    } finally {
      await lane?.close()
      await fastChain.close()
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, all) }, work))
  const rows = [...tallies.values()].map((tally) => tally.row())
  return every === 1 ? rows : rows.filter(({ tries }) => tries > 0)
}

/** Injects a fault; true if the lane can be used for the next one. */
async function runTry(lane: Lane, fault: ChainFault, blocks: number, tally: Tally): Promise<boolean> {
  const { service, fastChain } = lane
  const before = tally.row().wrong.length
  const where = (line: string) => `block ${blocks}: ${line}`
  const customers = await Promise.all(Array.from({ length: customersPerTry }, () => lane.customer()))
  // The setup must be deeper than any reorg, which would undo it.
  await delay(10 * blockMs)
  const sold: Sold[] = []
  await Promise.all(
    customers.map(async (customer) => {
      const purchase = await preparePurchase(
        // A payment that the asset refuses for good fails at the end of its validity.
        { ...service, accepted: { ...service.accepted, maxTimeoutSeconds: 130 } },
        customer,
        { now: fastChain.now() },
      )
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
  const findings = await checkInvariants(fileOf(lane), fastChain.chain, service.payTo.address)
  const broken = findings.broken.filter((line) => !fault.breaks || !line.startsWith(fault.breaks))
  noteBooks(tally, { ...findings, broken: broken.map(where) })
  return fault.breaks === undefined && tally.row().wrong.length === before
}

type State = "settled" | "failed" | "pending"

const stateOf = ({ status, body }: Answer): State => {
  if (status === 200) return body.grant.settlement.state
  return body.reason === "settlement_failed" ? "failed" : "pending"
}

/** Polls until the service and the chain agree on a final state, and still agree some blocks later. */
async function follow(
  lane: Lane,
  { customer, purchase }: Sold,
  fault: ChainFault,
  tally: Tally,
  where: (line: string) => string,
): Promise<void> {
  const { service, fastChain } = lane
  const deadline = performance.now() + longestSeconds * 1000
  let agreed = 0
  for (;;) {
    const state = stateOf(await postToken(service.url, retryHeaders(purchase)))
    const isPaid = (await transfersOf(fastChain, customer.address, service.payTo.address)).length > 0
    const agrees = state === (isPaid ? "settled" : "failed")
    agreed = agrees ? agreed + 1 : 0
    if (agreed > depth) return
    if (state === "settled" && !isPaid && fault.isFinal)
      return tally.flaw({ kind: "wrongVerdicts", line: where("settled, and no money on the chain") })
    if (performance.now() > deadline) {
      const line = where(`${state}, and the money has ${isPaid ? "" : "not "}arrived`)
      return tally.flaw({ kind: state === "pending" ? "stuckJobs" : "wrongVerdicts", line })
    }
    await delay(blockMs)
  }
}
