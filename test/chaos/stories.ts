/** What customers of a service may do, honest or not, and whether the service and the chain agree on how it ended. */
import { setTimeout as delay } from "node:timers/promises"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { Hex } from "../../shared/values/evm.ts"
import type { Account } from "../support/payments.ts"
import {
  type Answer,
  eventually,
  type Purchase,
  postToken,
  preparePurchase,
  retryHeaders,
  watch,
} from "../support/service.ts"
import type { Hold, Lane } from "./lane.ts"
import { cancelCall, sendByStranger } from "./strangers.ts"
import type { Flaw } from "./table.ts"
import type { World } from "./world.ts"

export type Story = {
  readonly name: string
  /** What happens to the payment while the service has come to a step, and is kept from its node. */
  readonly meddling?: {
    readonly step: string
    readonly act: (lane: Lane, customer: Account, purchase: Purchase) => Promise<void>
  }
}

const drain = async ({ world }: Lane, { address }: Account): Promise<void> => {
  await world.chain.request("anvil_setERC20Balance", [address, world.chain.asset, "0x0"])
}

export const stories: readonly Story[] = [
  { name: "pays" },
  { name: "purse emptied before the transaction", meddling: { step: "payment-redeemed", act: drain } },
  { name: "purse emptied under the transaction", meddling: { step: "stored", act: drain } },
  {
    name: "authorization cancelled",
    meddling: {
      step: "payment-redeemed",
      act: async ({ world }, customer, { transfer }) =>
        sendByStranger(world, await cancelCall(world, customer, transfer.nonce)),
    },
  },
  {
    name: "paid by a stranger's hand",
    meddling: {
      step: "payment-redeemed",
      act: ({ world }, _customer, { transfer }) =>
        sendByStranger(world, exactEip3009.settlementCall(world.chain.asset, transfer).data),
    },
  },
]

/** Seconds of ours: two minutes of the world's. */
const longestSeconds = 25

/** Tells one story on a lane that may be struck by a fault, and says what is wrong with how it ended. */
export async function tell(lane: Lane, story: Story): Promise<readonly Flaw[]> {
  const { service, world } = lane
  const customer = await lane.customer()
  const purchase = await preparePurchase(service, customer, { now: world.now() })
  const flaws: Flaw[] = []
  const wrong = (line: string) => flaws.push({ kind: "wrongVerdicts", line: `${story.name}: ${line}` })
  const hold = story.meddling && lane.holdAt(story.meddling.step)
  try {
    // While it is bought, because a payment that is settled first has no token before its end.
    const meddled = hold && meddle(lane, story, { hold, customer, purchase })
    const sold = await buy(lane, purchase, wrong)
    await meddled
    if (!sold) {
      flaws.push({ kind: "stuckJobs", line: `${story.name}: the payment was neither taken nor judged` })
      return flaws
    }
    const bought = sold.status === 200 ? sold : undefined
    const ended = await eventually(
      () => postToken(service.url, retryHeaders(purchase)),
      (answer) => answer.status === 400 || answer.body.grant?.settlement.state === "settled",
      longestSeconds,
    ).catch((error: Error) => void flaws.push({ kind: "stuckJobs", line: `${story.name}: ${error.message}` }))
    if (!ended) return flaws
    const grant = bought?.body.grant.id
    if (grant !== undefined && ended.status === 200 && ended.body.grant.id !== grant)
      flaws.push({ kind: "doubleEffects", line: `${story.name}: grants ${grant} and ${ended.body.grant.id}` })
    await compare(lane, customer, ended, bought, { wrong, flaws, name: story.name })
  } finally {
    hold?.release()
  }
  return flaws
}

async function meddle(
  lane: Lane,
  { meddling }: Story,
  { hold, customer, purchase }: { hold: Hold; customer: Account; purchase: Purchase },
): Promise<void> {
  await Promise.race([hold.reached, delay(longestSeconds * 1000)])
  await meddling?.act(lane, customer, purchase)
  hold.release()
}

/** As a patient client does: whatever the answer, the same payment again, with its secret, until there is a token or none can come. */
async function buy(
  { service }: Lane,
  purchase: Purchase,
  wrong: (line: string) => void,
): Promise<Answer | undefined> {
  let headers = purchase.headers
  const until = performance.now() + longestSeconds * 1000
  while (performance.now() < until) {
    const answer = await postToken(service.url, headers)
    if (answer.status === 200 || answer.body.reason === "settlement_failed") return answer
    if (answer.status === 402) wrong(`a signed payment was answered with 402 (${answer.body.reason})`)
    if (answer.status === 500) wrong("the service failed by a bug of its own (500)")
    headers = retryHeaders(purchase)
    await delay(60)
  }
  return undefined
}

/** The service's word against the chain's. */
async function compare(
  { service, world, price }: Lane,
  customer: Account,
  ended: Answer,
  bought: Answer | undefined,
  { wrong, flaws, name }: { wrong: (line: string) => void; flaws: Flaw[]; name: string },
): Promise<void> {
  const transfers = await transfersOf(world, customer.address, service.payTo.address)
  if (transfers.length > 1)
    flaws.push({ kind: "doubleEffects", line: `${name}: the payer was charged ${transfers.length} times` })
  const isPaid = transfers.length > 0 && transfers.every((value) => value === price)
  const says = ended.status === 200 ? "settled" : String(ended.body.reason)
  if (isPaid && says !== "settled") wrong(`the money is there, the service says ${says}`)
  if (!isPaid && says !== "settlement_failed") return wrong(`no money came, the service says ${says}`)
  if (!bought) return
  const gate = await eventually(
    () => watch(service.url, bought.body.access_token),
    ({ status }) => isPaid || status !== 200,
    5,
  ).catch(() => undefined)
  if (!gate) wrong("the token of a failed payment still opens the gate")
}

export async function transfersOf({ chain }: World, payer: Hex, payTo: Hex): Promise<readonly bigint[]> {
  const topic = (address: Hex) => `0x${"0".repeat(24)}${address.slice(2).toLowerCase()}`
  const transferred = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
  const filter = { address: chain.asset, fromBlock: "0x0", topics: [transferred, topic(payer), topic(payTo)] }
  const logs = (await chain.request("eth_getLogs", [filter])) as { data: string }[]
  return logs.map(({ data }) => BigInt(data))
}
