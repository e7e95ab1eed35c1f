/**
 * Injects every fault of a node at every call that the service makes to it, from its start to the end of each
 * scenario.
 */
import { ConfigError } from "../../server/config/config.ts"
import { startLocalChain } from "../support/chain/local-chain.ts"
import { checkInvariants } from "../support/invariants.ts"
import { ask, type Intercept, lie, type RpcCall } from "../support/rpc-proxy.ts"
import { noteBooks } from "./books.ts"
import { type FastChain, openFastChain } from "./fast-chain.ts"
import { fileOf, type Lane, openLane } from "./lane.ts"
import { type NodeFault, nodeFaults } from "./node-faults.ts"
import { runScenario, type Scenario, scenarios } from "./scenarios.ts"
import { createTally, type Row, type Tally } from "./table.ts"

export type EveryCallOptions = {
  /** Number of services that run at the same time. */
  readonly lanes?: number
  /** Runs every n-th injection only; default 1. */
  readonly every?: number
  readonly onProgress?: (done: number, all: number) => void
}

/**
 * The call at which a fault starts (counted over all calls, or over calls of the fault's method), and how
 * many calls in a row it answers.
 */
type Injection = { readonly fault: NodeFault; readonly at: number; readonly span: number }
type ScenarioInjection = Injection & { readonly story: Scenario }

export async function everyCall(options: EveryCallOptions = {}): Promise<readonly Row[]> {
  const { lanes: laneCount = 8, every = 1, onProgress = () => {} } = options
  const [fastChain, foreign] = await Promise.all([openFastChain(), startLocalChain({ blockTimeSeconds: 1 })])
  const lanes: Lane[] = []
  try {
    const faults = nodeFaults((call) =>
      // The other chain has the same contracts at the same addresses, but none of the transactions of this
      // run.
      lie(
        call,
        "eth_chainId",
        () => "0x5",
        () => ask(foreign.rpcUrl, call.text),
      ),
    )
    const tallies = new Map(faults.map(({ name }) => [name, createTally(name)]))
    const books = createTally("books after faults at every call")
    const startCalls: RpcCall[] = []
    lanes.push(await openLane(fastChain, { intercept: recorder(startCalls) }))
    while (lanes.length < laneCount) lanes.push(await openLane(fastChain))

    const injection: ScenarioInjection[] = []
    for (const story of scenarios) {
      const calls = await callsOf(lanes, story)
      injection.push(
        ...injectionsFor(faults, calls, false).map((runInjection) => ({ ...runInjection, story })),
      )
    }
    const starts = injectionsFor(faults, startCalls.map(methodsOf), true)
    const all = injection.filter((_, at) => at % every === 0)
    const allStarts = starts.filter((_, at) => at % every === 0)
    let done = 0
    const count = all.length + allStarts.length
    const noteDone = () => onProgress(++done, count)
    const tallyOf = ({ fault }: Injection): Tally => tallies.get(fault.name) ?? books

    await Promise.all(
      lanes.map(async (lane) => {
        for (let next = all.shift(); next; next = all.shift()) {
          await runInjection(lane, next, tallyOf(next))
          noteDone()
        }
      }),
    )
    for (const lane of lanes.splice(0)) await audit(lane, books)
    const starting = async () => {
      for (let next = allStarts.shift(); next; next = allStarts.shift()) {
        await runInjectionAtStart(fastChain, next, tallyOf(next), books)
        noteDone()
      }
    }
    await Promise.all([starting(), starting(), starting()])
    const rows = [...tallies.values(), books].map((tally) => tally.row())
    return every === 1 ? rows : rows.filter(({ tries }) => tries > 0)
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()))
    await fastChain.close()
    await foreign.stop()
  }
}

const methodsOf = ({ asked }: RpcCall): readonly string[] => asked.map(({ method }) => method)

const recorder =
  (calls: RpcCall[]): Intercept =>
  (call, forward) => {
    calls.push(call)
    return forward()
  }

/**
 * The calls to the node in a run of a scenario without faults. Of three runs the longest counts, because the
 * number of polls varies.
 */
async function callsOf(lanes: readonly Lane[], story: Scenario): Promise<readonly (readonly string[])[]> {
  const runs = await Promise.all(
    lanes.slice(0, 3).map(async (lane) => {
      const calls: RpcCall[] = []
      lane.intercept(recorder(calls))
      const flaws = await runScenario(lane, story)
      lane.intercept(undefined)
      if (flaws.length > 0) throw new Error(`without any fault: ${flaws.map(({ line }) => line).join("; ")}`)
      return calls.map(methodsOf)
    }),
  )
  return runs.reduce((longest, calls) => (calls.length > longest.length ? calls : longest))
}

function injectionsFor(
  faults: readonly NodeFault[],
  calls: readonly (readonly string[])[],
  onlyLongest: boolean,
): Injection[] {
  return faults.flatMap((fault) => {
    const targets = calls.filter((methods) => fault.method === undefined || methods.includes(fault.method))
    const spans = onlyLongest ? fault.spans.slice(-1) : fault.spans
    return spans.flatMap((span) => targets.map((_, at) => ({ fault, at, span })))
  })
}

/** Answers the calls that the injection covers, and counts its answers. */
function createInjector({ fault, at, span }: Injection): { intercept: Intercept; hits: () => number } {
  const intercept = fault.intercept()
  let seen = 0
  let hits = 0
  return {
    hits: () => hits,
    intercept(call, forward) {
      if (fault.method !== undefined && !methodsOf(call).includes(fault.method)) return forward()
      const index = seen++
      if (index < at || index >= at + span) return forward()
      hits += 1
      return intercept(call, forward)
    },
  }
}

async function runInjection(lane: Lane, injection: ScenarioInjection, tally: Tally): Promise<void> {
  const { intercept, hits } = createInjector(injection)
  lane.intercept(intercept)
  const flaws = await runScenario(lane, injection.story)
  lane.intercept(undefined)
  // The scenario may end before the call that the fault was meant for.
  if (hits() > 0) tally.tried()
  for (const { kind, line } of flaws)
    tally.flaw({ kind, line: `call ${injection.at}+${injection.span}: ${line}` })
}

/**
 * Starts a service while its node fails. The start may be refused, and is repeated as an operator would
 * repeat it.
 */
async function runInjectionAtStart(
  fastChain: FastChain,
  injection: Injection,
  tally: Tally,
  books: Tally,
): Promise<void> {
  const { intercept, hits } = createInjector(injection)
  let lane: Lane | undefined
  for (let start = 0; !lane; start++) {
    try {
      lane = await openLane(fastChain, { intercept })
    } catch (error) {
      // A node of another chain is reported as an error of the configuration.
      if (error instanceof ConfigError && hits() > 0 && start < 5) continue
      tally.flaw({ kind: "stuckJobs", line: `the service does not start: ${error}` })
      return
    }
  }
  if (hits() > 0) tally.tried()
  const [pays] = scenarios
  if (pays) for (const flaw of await runScenario(lane, pays)) tally.flaw(flaw)
  await audit(lane, books)
}

/** Closes a lane and checks its books. */
async function audit(lane: Lane, books: Tally): Promise<void> {
  const { service, fastChain } = lane
  books.tried()
  noteBooks(books, await checkInvariants(fileOf(lane), fastChain.chain, service.payTo.address))
  await lane.close()
}
