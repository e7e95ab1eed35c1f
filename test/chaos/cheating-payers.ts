/**
 * Payers who take a token and prevent the payment: measures the loss and compares it with the bound that the
 * limits promise.
 */

import { cancelCall } from "../support/cancel.ts"
import { checkInvariants } from "../support/invariants.ts"
import { eventually, offer, postToken, preparePurchase, retryHeaders } from "../support/service.ts"
import { noteBooks } from "./books.ts"
import type { Sold } from "./chain-faults.ts"
import { openFastChain } from "./fast-chain.ts"
import { fileOf, type Lane, openLane } from "./lane.ts"
import { createTally, type Row } from "./table.ts"
import { sendByThirdParty } from "./third-party.ts"

type Cheat = {
  readonly name: string
  /** True if the whole attack uses one price on one account. */
  readonly isOneSum?: true
  /** Runs as soon as the token is issued, before the next block. */
  cheat(lane: Lane, sold: Sold): Promise<void>
}

const wallets = 50
const rounds = 3
const soldOffer = offer("hour", "movies:read", "0.05")
const wideLimits = { perPayer: "1000", requestsPerPeer: 1_000_000, requestsPerPayer: 1_000_000 }
/** In the currency: the loss of one day is at most the sum of both, for any number of wallets. */
const limits = { total: "1", dailyLoss: "0.5" }
const bound = 1_500_000n

const emptyBalance: Cheat["cheat"] = async ({ fastChain }, { customer }) => {
  await fastChain.chain.request("anvil_setERC20Balance", [customer.address, fastChain.chain.asset, "0x0"])
}

const cheats: readonly Cheat[] = [
  { name: "balance emptied after the token", cheat: emptyBalance },
  // Each wallet receives the money after the wallet before it has been emptied.
  { name: `one price moved through ${wallets} wallets`, isOneSum: true, cheat: emptyBalance },
  {
    name: "authorization cancelled after the token",
    cheat: async ({ fastChain }, { customer, purchase }) =>
      sendByThirdParty(fastChain, await cancelCall(fastChain, customer, purchase.transfer.nonce)),
  },
  {
    name: "code delegated after the token",
    cheat: async ({ fastChain }, { customer }) => {
      await fastChain.chain.request("anvil_setCode", [customer.address, `0xef0100${"ab".repeat(20)}`])
    },
  },
]

export type CheatOptions = {
  /** Number of methods of cheating to run. */
  readonly methods?: number
  readonly onProgress?: (done: number, all: number) => void
}

export async function cheatingPayers(options: CheatOptions = {}): Promise<readonly Row[]> {
  const { methods = cheats.length, onProgress = () => {} } = options
  const rows: Row[] = []
  for (const cheat of cheats.slice(0, methods)) {
    rows.push(await attack(cheat))
    onProgress(rows.length, methods)
  }
  return rows
}

async function attack(cheat: Cheat): Promise<Row> {
  const tally = createTally(`cheat: ${cheat.name}`)
  const fastChain = await openFastChain()
  const lane = await openLane(fastChain, {
    config: { limits: { ...wideLimits, ...limits }, offers: [soldOffer] },
  })
  const books = () => checkInvariants(fileOf(lane), fastChain.chain, lane.service.payTo.address)
  try {
    const sold: Sold[] = []
    for (let round = 0; round < rounds; round++) {
      const buying = Array.from({ length: wallets }, () => () => buyAndCheat(lane, cheat, sold))
      if (cheat.isOneSum) for (const one of buying) await one()
      else await Promise.all(buying.map((one) => one()))
      tally.tried(wallets)
      await eventually(books, ({ open }) => open === 0, 60).catch(() => undefined)
    }
    noteBooks(tally, await books())
    const ends = await Promise.all(
      sold.map(({ purchase }) => postToken(lane.service.url, retryHeaders(purchase))),
    )
    const lost = lane.price * BigInt(ends.filter(({ body }) => body.reason === "settlement_failed").length)
    const attempted = lane.price * BigInt(wallets * rounds)
    tally.note(
      `${currency(lost)} of access without payment, of ${currency(attempted)} attempted; the bound is ${currency(bound)}`,
    )
    if (lost > bound) tally.flaw({ kind: "wrongVerdicts", line: "the loss exceeds the limits" })
  } finally {
    await lane.close()
    await fastChain.close()
  }
  return tally.row()
}

async function buyAndCheat(lane: Lane, cheat: Cheat, sold: Sold[]): Promise<void> {
  const customer = await lane.customer()
  // Most of these payments fail at the end of their validity only.
  const seller = { ...lane.service, accepted: { ...lane.service.accepted, maxTimeoutSeconds: 130 } }
  const purchase = await preparePurchase(seller, customer, { now: lane.fastChain.now() })
  // A payment that was refused, or that waits for its settlement, gave no token.
  if ((await postToken(lane.service.url, purchase.headers)).status !== 200) return
  sold.push({ customer, purchase })
  await cheat.cheat(lane, { customer, purchase })
}

const currency = (millionths: bigint): string => `${(Number(millionths) / 1e6).toFixed(2)} USD`
