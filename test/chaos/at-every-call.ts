/** Every fault of a node at every call that the service makes of it, from its start to the end of each story. */
import { ConfigError } from "../../server/config/config.ts"
import { startLocalChain } from "../support/chain/local-chain.ts"
import { checkInvariants } from "../support/invariants.ts"
import { ask, type Intercept, lie, type RpcCall } from "../support/rpc-proxy.ts"
import { noteBooks } from "./books.ts"
import { fileOf, type Lane, openLane } from "./lane.ts"
import { type NodeFault, nodeFaults } from "./node-faults.ts"
import { type Story, stories, tell } from "./stories.ts"
import { createTally, type Row, type Tally } from "./table.ts"
import { openWorld, type World } from "./world.ts"

export type EveryCallOptions = {
  /** Services at work at once. */
  readonly lanes?: number
  /** Of all strikes, every how many-th is made; 1 when not given. */
  readonly every?: number
  readonly onProgress?: (done: number, all: number) => void
}

/** A number of calls in a row, as the service makes them or of the fault's method, that a fault answers. */
type Strike = { readonly fault: NodeFault; readonly at: number; readonly span: number }
type Told = Strike & { readonly story: Story }

export async function everyCall(options: EveryCallOptions = {}): Promise<readonly Row[]> {
  const { lanes: wanted = 8, every = 1, onProgress = () => {} } = options
  const [world, foreign] = await Promise.all([openWorld(), startLocalChain({ blockTimeSeconds: 1 })])
  const lanes: Lane[] = []
  try {
    const faults = nodeFaults((call) =>
      // The same addresses hold the same contracts there, but nothing that happened here.
      lie(
        call,
        "eth_chainId",
        () => "0x5",
        () => ask(foreign.rpcUrl, call.text),
      ),
    )
    const tallies = new Map(faults.map(({ name }) => [name, createTally(name)]))
    const books = createTally("the books after all of these")
    const startCalls: RpcCall[] = []
    lanes.push(await openLane(world, { intercept: recorder(startCalls) }))
    while (lanes.length < wanted) lanes.push(await openLane(world))

    const told: Told[] = []
    for (const story of stories) {
      const calls = await callsOf(lanes, story)
      told.push(...strikesOf(faults, calls, false).map((strike) => ({ ...strike, story })))
    }
    const starts = strikesOf(faults, startCalls.map(methodsOf), true)
    const all = told.filter((_, at) => at % every === 0)
    const allStarts = starts.filter((_, at) => at % every === 0)
    let done = 0
    const count = all.length + allStarts.length
    const noteDone = () => onProgress(++done, count)
    const tallyOf = ({ fault }: Strike): Tally => tallies.get(fault.name) ?? books

    await Promise.all(
      lanes.map(async (lane) => {
        for (let next = all.shift(); next; next = all.shift()) {
          await strike(lane, next, tallyOf(next))
          noteDone()
        }
      }),
    )
    for (const lane of lanes.splice(0)) await audit(lane, books)
    const starting = async () => {
      for (let next = allStarts.shift(); next; next = allStarts.shift()) {
        await strikeStart(world, next, tallyOf(next), books)
        noteDone()
      }
    }
    await Promise.all([starting(), starting(), starting()])
    const rows = [...tallies.values(), books].map((tally) => tally.row())
    return every === 1 ? rows : rows.filter(({ tries }) => tries > 0)
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()))
    await world.close()
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

/** What an undisturbed story asks of the node: the longest of a few tellings, because polls come when they come. */
async function callsOf(lanes: readonly Lane[], story: Story): Promise<readonly (readonly string[])[]> {
  const tellings = await Promise.all(
    lanes.slice(0, 3).map(async (lane) => {
      const calls: RpcCall[] = []
      lane.intercept(recorder(calls))
      const flaws = await tell(lane, story)
      lane.intercept(undefined)
      if (flaws.length > 0) throw new Error(`without any fault: ${flaws.map(({ line }) => line).join("; ")}`)
      return calls.map(methodsOf)
    }),
  )
  return tellings.reduce((longest, calls) => (calls.length > longest.length ? calls : longest))
}

function strikesOf(
  faults: readonly NodeFault[],
  calls: readonly (readonly string[])[],
  onlyLongest: boolean,
): Strike[] {
  return faults.flatMap((fault) => {
    const meant = calls.filter((methods) => fault.method === undefined || methods.includes(fault.method))
    const spans = onlyLongest ? fault.spans.slice(-1) : fault.spans
    return spans.flatMap((span) => meant.map((_, at) => ({ fault, at, span })))
  })
}

/** Answers the strike's calls, and counts what it answered. */
function striker({ fault, at, span }: Strike): { intercept: Intercept; hits: () => number } {
  const by = fault.intercept()
  let seen = 0
  let hits = 0
  return {
    hits: () => hits,
    intercept(call, forward) {
      if (fault.method !== undefined && !methodsOf(call).includes(fault.method)) return forward()
      const turn = seen++
      if (turn < at || turn >= at + span) return forward()
      hits += 1
      return by(call, forward)
    },
  }
}

async function strike(lane: Lane, told: Told, tally: Tally): Promise<void> {
  const { intercept, hits } = striker(told)
  lane.intercept(intercept)
  const flaws = await tell(lane, told.story)
  lane.intercept(undefined)
  // A story may end before the call comes that was to be struck.
  if (hits() > 0) tally.tried()
  for (const { kind, line } of flaws) tally.flaw({ kind, line: `call ${told.at}+${told.span}: ${line}` })
}

/** Of a service that starts while its node fails; it may refuse to, and is started again like any other. */
async function strikeStart(world: World, struck: Strike, tally: Tally, books: Tally): Promise<void> {
  const { intercept, hits } = striker(struck)
  let lane: Lane | undefined
  for (let start = 0; !lane; start++) {
    try {
      lane = await openLane(world, { intercept })
    } catch (error) {
      // A node that is not of the chain is a mistake of the configuration.
      if (error instanceof ConfigError && hits() > 0 && start < 5) continue
      tally.flaw({ kind: "stuckJobs", line: `the service does not start: ${error}` })
      return
    }
  }
  if (hits() > 0) tally.tried()
  const [pays] = stories
  if (pays) for (const flaw of await tell(lane, pays)) tally.flaw(flaw)
  await audit(lane, books)
}

/** Closes a lane and reads its books. */
async function audit(lane: Lane, books: Tally): Promise<void> {
  const { service, world } = lane
  books.tried()
  noteBooks(books, await checkInvariants(fileOf(lane), world.chain, service.payTo.address))
  await lane.close()
}
