/** Thousands of redemptions while node and chain misbehave by a seed: all come to an end, and the sums agree to the unit. */
import { setTimeout as delay } from "node:timers/promises"
import pLimit from "p-limit"
import { startLocalChain } from "../support/chain/local-chain.ts"
import { checkInvariants } from "../support/invariants.ts"
import { ask, lie } from "../support/rpc-proxy.ts"
import { eventually, postToken, preparePurchase, retryHeaders } from "../support/service.ts"
import { noteBooks } from "./books.ts"
import { chainFaults, depth, type Sold } from "./chain-faults.ts"
import { fileOf, type Lane, openLane } from "./lane.ts"
import { nodeFaults } from "./node-faults.ts"
import { randomOf } from "./random.ts"
import { createTally, type Row, type Tally } from "./table.ts"
import { blockMs, openWorld } from "./world.ts"

export type LoadOptions = {
  readonly redemptions: number
  readonly seed: number
  readonly onProgress?: (done: number, all: number) => void
}

const atOnce = 32
/** Of the calls to the node, so many fail. */
const failing = 0.05
const calmMs = 1500
const longestSeconds = 120

/** What the world does meanwhile; what makes an end of single payments has rows of its own. */
const weather = chainFaults.filter(({ name }) =>
  /^reorg of|base fee of 50|dropped|purse emptied|code at the payer|without gas|paused for a while/.test(
    name,
  ),
)

export async function underLoad(options: LoadOptions): Promise<readonly Row[]> {
  const { redemptions, seed, onProgress = () => {} } = options
  const random = randomOf(seed)
  const tally = createTally("redemptions under load while the chain misbehaves")
  const [world, foreign] = await Promise.all([openWorld(), startLocalChain({ blockTimeSeconds: 1 })])
  const lane = await openLane(world, { confirmations: depth })
  try {
    const faults = nodeFaults((call) =>
      lie(
        call,
        "eth_chainId",
        () => "0x5",
        () => ask(foreign.rpcUrl, call.text),
      ),
    )
    const customers = await Promise.all(Array.from({ length: redemptions }, () => lane.customer()))
    await delay(10 * blockMs)
    lane.intercept((call, forward) => {
      const fault = random() < failing ? faults[Math.floor(random() * faults.length)] : undefined
      const isMeant = fault?.method === undefined || call.asked.some(({ method }) => method === fault.method)
      return fault && isMeant ? fault.intercept()(call, forward) : forward()
    })
    const sold: Sold[] = []
    let isOver = false
    const storm = (async () => {
      while (!isOver) {
        await weather[Math.floor(random() * weather.length)]?.act(lane, sold.slice(-2))
        await delay(random() * calmMs)
      }
    })()
    const limit = pLimit(atOnce)
    await Promise.all(
      customers.map((customer) =>
        limit(async () => {
          const purchase = await preparePurchase(lane.service, customer, { now: world.now() })
          if (await buy(lane, { customer, purchase }, tally)) sold.push({ customer, purchase })
          tally.tried()
          onProgress(tally.row().tries, redemptions)
        }),
      ),
    )
    isOver = true
    await storm
    lane.intercept(undefined)
    const look = () => checkInvariants(fileOf(lane), world.chain, lane.service.payTo.address)
    const open = await eventually(look, (findings) => findings.open === 0, longestSeconds).catch(look)
    noteBooks(tally, open)
    if (open.redemptions !== sold.length)
      tally.flaw({ kind: "doubleEffects", line: `${sold.length} tokens sold, ${open.redemptions} rows` })
  } finally {
    await lane.close()
    await world.close()
    await foreign.stop()
  }
  return [tally.row()]
}

/** As a patient client does; false when the payer's purse was emptied, or his word grew too old, before he was served. */
async function buy({ service, world }: Lane, { purchase }: Sold, tally: Tally): Promise<boolean> {
  let headers = purchase.headers
  for (;;) {
    const { status, body } = await postToken(service.url, headers)
    if (status === 200) return true
    if (status === 402 || status === 500)
      tally.flaw({
        kind: "wrongVerdicts",
        line: `a signed payment was answered with ${status} (${body.reason})`,
      })
    // It was sold, and the answer was lost or the payment is waited for: its row says how it ended.
    if (status === 202 || body.reason === "settlement_failed") return true
    if (purchase.transfer.validBefore < BigInt(world.now() + 120)) return false
    headers = retryHeaders(purchase)
    await delay(100)
  }
}
