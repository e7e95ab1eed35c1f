/** Scenarios of payers, honest or not; a run compares the final answer of the service with the chain. */
import { setTimeout as delay } from "node:timers/promises"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { cancelCall } from "../support/cancel.ts"
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
import type { FastChain } from "./fast-chain.ts"
import type { Hold, Lane } from "./lane.ts"
import type { Flaw } from "./table.ts"
import { sendByThirdParty } from "./third-party.ts"

export type Scenario = {
  readonly name: string
  /**
   * Interference with the payment while the service has reached a step and its calls to the node are held
   * back.
   */
  readonly interference?: {
    readonly step: string
    readonly act: (lane: Lane, customer: Account, purchase: Purchase) => Promise<void>
  }
}

const emptyBalance = async ({ fastChain }: Lane, { address }: Account): Promise<void> => {
  await fastChain.chain.request("anvil_setERC20Balance", [address, fastChain.chain.asset, "0x0"])
}

export const scenarios: readonly Scenario[] = [
  { name: "pays" },
  {
    name: "balance emptied before the transaction",
    interference: { step: "payment-redeemed", act: emptyBalance },
  },
  { name: "balance emptied under the transaction", interference: { step: "stored", act: emptyBalance } },
  {
    name: "authorization cancelled",
    interference: {
      step: "payment-redeemed",
      act: async ({ fastChain }, customer, { transfer }) =>
        sendByThirdParty(fastChain, await cancelCall(fastChain, customer, transfer.nonce)),
    },
  },
  {
    name: "settled by a third party",
    interference: {
      step: "payment-redeemed",
      act: ({ fastChain }, _customer, { transfer }) =>
        sendByThirdParty(fastChain, exactEip3009.settlementCall(fastChain.chain.asset, transfer).data),
    },
  },
]

/** A payment that nothing pays for fails at the end of its validity, which must come before that of the scenario. */
const windowSeconds = 130

/** Seconds of real time: more than four minutes of the chain's. */
const longestSeconds = 25

/** Runs a scenario on a lane, with or without a fault, and returns the flaws of its end. */
export async function runScenario(lane: Lane, scenario: Scenario): Promise<readonly Flaw[]> {
  const { service, fastChain } = lane
  const customer = await lane.customer()
  const seller = { ...service, accepted: { ...service.accepted, maxTimeoutSeconds: windowSeconds } }
  const purchase = await preparePurchase(seller, customer, { now: fastChain.now() })
  const flaws: Flaw[] = []
  const wrong = (line: string) => flaws.push({ kind: "wrongVerdicts", line: `${scenario.name}: ${line}` })
  const hold = scenario.interference && lane.holdAt(scenario.interference.step)
  try {
    // The interference runs beside the purchase, because a payment that is settled first gives no token
    // before its end.
    const interfering = hold && interfere(lane, scenario, { hold, customer, purchase })
    const sold = await buy(lane, purchase, wrong)
    await interfering
    if (!sold) {
      flaws.push({
        kind: "stuckJobs",
        line: `${scenario.name}: the payment was neither accepted nor refused`,
      })
      return flaws
    }
    const bought = sold.status === 200 ? sold : undefined
    const ended = await eventually(
      () => postToken(service.url, retryHeaders(purchase)),
      (answer) => answer.status === 400 || answer.body.grant?.settlement.state === "settled",
      longestSeconds,
    ).catch(
      (error: Error) => void flaws.push({ kind: "stuckJobs", line: `${scenario.name}: ${error.message}` }),
    )
    if (!ended) return flaws
    const grant = bought?.body.grant.id
    if (grant !== undefined && ended.status === 200 && ended.body.grant.id !== grant)
      flaws.push({
        kind: "doubleEffects",
        line: `${scenario.name}: grants ${grant} and ${ended.body.grant.id}`,
      })
    await compare(lane, customer, ended, bought, { wrong, flaws, name: scenario.name })
  } finally {
    hold?.release()
  }
  return flaws
}

async function interfere(
  lane: Lane,
  { interference }: Scenario,
  { hold, customer, purchase }: { hold: Hold; customer: Account; purchase: Purchase },
): Promise<void> {
  await Promise.race([hold.reached, delay(longestSeconds * 1000)])
  await interference?.act(lane, customer, purchase)
  hold.release()
}

/**
 * Buys as a client that retries does: sends the same payment with its secret again until a token comes or
 * none can come.
 */
async function buy(
  { service }: Lane,
  purchase: Purchase,
  wrong: (line: string) => void,
): Promise<Answer | undefined> {
  let headers = purchase.headers
  const deadline = performance.now() + longestSeconds * 1000
  while (performance.now() < deadline) {
    const answer = await postToken(service.url, headers)
    if (answer.status === 200 || answer.body.reason === "settlement_failed") return answer
    if (answer.status === 402) wrong(`a signed payment was answered with 402 (${answer.body.reason})`)
    if (answer.status === 500) wrong("the service failed by a bug of its own (500)")
    headers = retryHeaders(purchase)
    await delay(60)
  }
  return undefined
}

/** Compares the answer of the service with the transfers on the chain. */
async function compare(
  { service, fastChain, price }: Lane,
  customer: Account,
  ended: Answer,
  bought: Answer | undefined,
  { wrong, flaws, name }: { wrong: (line: string) => void; flaws: Flaw[]; name: string },
): Promise<void> {
  const transfers = await transfersOf(fastChain, customer.address, service.payTo.address)
  if (transfers.length > 1)
    flaws.push({ kind: "doubleEffects", line: `${name}: the payer was charged ${transfers.length} times` })
  const isPaid = transfers.length > 0 && transfers.every((value) => value === price)
  const says = ended.status === 200 ? "settled" : String(ended.body.reason)
  if (isPaid && says !== "settled") wrong(`the money came, the service says ${says}`)
  if (!isPaid && says !== "settlement_failed") return wrong(`no money came, the service says ${says}`)
  if (!bought) return
  const gate = await eventually(
    () => watch(service.url, bought.body.access_token),
    ({ status }) => isPaid || status !== 200,
    5,
  ).catch(() => undefined)
  if (!gate) wrong("the token of a failed payment still opens the gate")
}

export async function transfersOf({ chain }: FastChain, payer: Hex, payTo: Hex): Promise<readonly bigint[]> {
  const topic = (address: Hex) => `0x${"0".repeat(24)}${address.slice(2).toLowerCase()}`
  const transferred = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
  const filter = { address: chain.asset, fromBlock: "0x0", topics: [transferred, topic(payer), topic(payTo)] }
  const logs = (await chain.request("eth_getLogs", [filter])) as { data: string }[]
  return logs.map(({ data }) => BigInt(data))
}
