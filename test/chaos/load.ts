/**
 * Runs thousands of redemptions while node and chain fail at random by a seed; all must end, and the sums
 * must agree exactly.
 */
import { setTimeout as delay } from "node:timers/promises"
import pLimit from "p-limit"
import { startLocalChain } from "../support/chain/local-chain.ts"
import { checkInvariants } from "../support/invariants.ts"
import { ask, lie } from "../support/rpc-proxy.ts"
import { eventually, postToken, preparePurchase, retryHeaders } from "../support/service.ts"
import { noteBooks } from "./books.ts"
import { chainFaults, depth, type Sold } from "./chain-faults.ts"
import { blockMs, openFastChain } from "./fast-chain.ts"
import { fileOf, type Lane, openLane } from "./lane.ts"
import { nodeFaults } from "./node-faults.ts"
import { randomOf } from "./random.ts"
import { createTally, type Row, type Tally } from "./table.ts"

export type LoadOptions = {
  readonly redemptions: number
  readonly seed: number
  readonly onProgress?: (done: number, all: number) => void
}

const atOnce = 32
/** Share of the calls to the node that fail. */
const failureShare = 0.05
const longestPauseMs = 1500
const longestSeconds = 120

/** Chain faults during the load. Faults that end single payments have rows of their own. */
const loadFaults = chainFaults.filter(({ name }) =>
  /^reorg of|base fee of 50|dropped|balance emptied|code at the payer|without gas|paused for a while/.test(
    name,
  ),
)

export async function underLoad(options: LoadOptions): Promise<readonly Row[]> {
  const { redemptions, seed, onProgress = () => {} } = options
  const random = randomOf(seed)
  const tally = createTally("redemptions under load while the chain misbehaves")
  const [fastChain, foreign] = await Promise.all([openFastChain(), startLocalChain({ blockTimeSeconds: 1 })])
  const lane = await openLane(fastChain, { confirmations: depth })
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
      const fault = random() < failureShare ? faults[Math.floor(random() * faults.length)] : undefined
      const isTargeted =
        fault?.method === undefined || call.asked.some(({ method }) => method === fault.method)
      return fault && isTargeted ? fault.intercept()(call, forward) : forward()
    })
    const sold: Sold[] = []
    let isDone = false
    const faulting = (async () => {
      while (!isDone) {
        await loadFaults[Math.floor(random() * loadFaults.length)]?.act(lane, sold.slice(-2))
        await delay(random() * longestPauseMs)
      }
    })()
    const limit = pLimit(atOnce)
    await Promise.all(
      customers.map((customer) =>
        limit(async () => {
          const purchase = await preparePurchase(lane.service, customer, { now: fastChain.now() })
          if (await buy(lane, { customer, purchase }, tally)) sold.push({ customer, purchase })
          tally.tried()
          onProgress(tally.row().tries, redemptions)
        }),
      ),
    )
    isDone = true
    await faulting
    lane.intercept(undefined)
    const readBooks = () => checkInvariants(fileOf(lane), fastChain.chain, lane.service.payTo.address)
    const open = await eventually(readBooks, (findings) => findings.open === 0, longestSeconds).catch(
      readBooks,
    )
    noteBooks(tally, open)
    if (open.redemptions !== sold.length)
      tally.flaw({ kind: "doubleEffects", line: `${sold.length} tokens sold, ${open.redemptions} rows` })
  } finally {
    await lane.close()
    await fastChain.close()
    await foreign.stop()
  }
  return [tally.row()]
}

/**
 * Buys as a client that retries does; false if the payer's balance was emptied, or the payment expired,
 * before a token was issued.
 */
async function buy({ service, fastChain }: Lane, { purchase }: Sold, tally: Tally): Promise<boolean> {
  let headers = purchase.headers
  for (;;) {
    const { status, body } = await postToken(service.url, headers)
    if (status === 200) return true
    if (status === 402 || status === 500)
      tally.flaw({
        kind: "wrongVerdicts",
        line: `a signed payment was answered with ${status} (${body.reason})`,
      })
    // The payment was accepted and the answer was lost, or the service still waits for its settlement: the
    // row says how it ended.
    if (status === 202 || body.reason === "settlement_failed") return true
    if (purchase.transfer.validBefore < BigInt(fastChain.now() + 120)) return false
    headers = retryHeaders(purchase)
    await delay(100)
  }
}
