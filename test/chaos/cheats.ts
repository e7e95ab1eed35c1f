/** Payers who take a token and do not pay: what they enjoyed, beside the bound that the limits promise. */

import { checkInvariants } from "../support/invariants.ts"
import { eventually, offer, postToken, preparePurchase, retryHeaders } from "../support/service.ts"
import { noteBooks } from "./books.ts"
import type { Sold } from "./chain-faults.ts"
import { fileOf, type Lane, openLane } from "./lane.ts"
import { cancelCall, sendByStranger } from "./strangers.ts"
import { createTally, type Row } from "./table.ts"
import { openWorld } from "./world.ts"

type Cheat = {
  readonly name: string
  /** Begins with no more than one price on one account. */
  readonly isOneSum?: true
  /** As soon as the token is there, and before any block. */
  cheat(lane: Lane, sold: Sold): Promise<void>
}

const wallets = 50
const rounds = 3
const onSale = offer("hour", "movies:read", "0.05")
const generous = { perPayer: "1000", requestsPerPeer: 1_000_000, requestsPerPayer: 1_000_000 }
/** In the currency: a day's loss is at most both together, whatever the number of wallets. */
const limits = { total: "1", dailyLoss: "0.5" }
const bound = 1_500_000n

const emptyPurse: Cheat["cheat"] = async ({ world }, { customer }) => {
  await world.chain.request("anvil_setERC20Balance", [customer.address, world.chain.asset, "0x0"])
}

const cheats: readonly Cheat[] = [
  { name: "purse emptied after the token", cheat: emptyPurse },
  // The next wallet is filled when the one before is empty.
  { name: `one sum moved through ${wallets} wallets`, isOneSum: true, cheat: emptyPurse },
  {
    name: "authorization cancelled after the token",
    cheat: async ({ world }, { customer, purchase }) =>
      sendByStranger(world, await cancelCall(world, customer, purchase.transfer.nonce)),
  },
  {
    name: "code delegated after the token",
    cheat: async ({ world }, { customer }) => {
      await world.chain.request("anvil_setCode", [customer.address, `0xef0100${"ab".repeat(20)}`])
    },
  },
]

export type CheatOptions = {
  /** Of the ways to cheat. */
  readonly ways?: number
  readonly onProgress?: (done: number, all: number) => void
}

export async function cheatingPayers(options: CheatOptions = {}): Promise<readonly Row[]> {
  const { ways = cheats.length, onProgress = () => {} } = options
  const rows: Row[] = []
  for (const cheat of cheats.slice(0, ways)) {
    rows.push(await attack(cheat))
    onProgress(rows.length, ways)
  }
  return rows
}

async function attack(cheat: Cheat): Promise<Row> {
  const tally = createTally(`cheat: ${cheat.name}`)
  const world = await openWorld()
  const lane = await openLane(world, { config: { limits: { ...generous, ...limits }, offers: [onSale] } })
  const books = () => checkInvariants(fileOf(lane), world.chain, lane.service.payTo.address)
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
    const enjoyed = lane.price * BigInt(ends.filter(({ body }) => body.reason === "settlement_failed").length)
    const wanted = lane.price * BigInt(wallets * rounds)
    tally.note(`${currency(enjoyed)} enjoyed of ${currency(wanted)} tried; the bound is ${currency(bound)}`)
    if (enjoyed > bound) tally.flaw({ kind: "wrongVerdicts", line: "more was lost than the limits allow" })
  } finally {
    await lane.close()
    await world.close()
  }
  return tally.row()
}

async function buyAndCheat(lane: Lane, cheat: Cheat, sold: Sold[]): Promise<void> {
  const customer = await lane.customer()
  const purchase = await preparePurchase(lane.service, customer, { now: lane.world.now() })
  // Refused, or kept waiting until the money is in: there is no token to run away with.
  if ((await postToken(lane.service.url, purchase.headers)).status !== 200) return
  sold.push({ customer, purchase })
  await cheat.cheat(lane, { customer, purchase })
}

const currency = (millionths: bigint): string => `${(Number(millionths) / 1e6).toFixed(2)} USD`
