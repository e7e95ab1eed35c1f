/** `fetch`: one call to a service, paid for if it must be, or only priced. */

import { formatMicros, parseMicros } from "../core/budget-rules.ts"
import type { ClientEvent } from "../core/events.ts"
import type { Approve } from "../purchase/approval.ts"
import { nameOf } from "../purchase/prepare-payment.ts"
import { type AnswerOptions, createAnswer } from "./answer.ts"
import { printDryRun } from "./dry-run.ts"
import { CommandError, type Exit } from "./failures.ts"
import type { Money } from "./money.ts"
import { questionOf, quoted } from "./purchase-text.ts"
import { type RequestOptions, requestOf } from "./request.ts"
import { openSession, type SessionOptions } from "./session.ts"
import type { CommandSettings } from "./settings.ts"
import type { Terminal } from "./terminal.ts"

export type FetchOptions = SessionOptions &
  RequestOptions &
  AnswerOptions & {
    readonly dryRun?: boolean
    readonly yes?: boolean
    readonly max?: string
    readonly calls?: number
  }

export async function fetchCommand(
  text: string,
  options: FetchOptions,
  terminal: Terminal,
  money: Money,
  signal: AbortSignal,
): Promise<Exit> {
  const { url, init } = await requestOf(text, options, terminal)
  const session = await openSession(options, terminal, {
    adjust: (settings) => ({ ...settings, budget: budgetOf(settings, options) }),
    approve: approvalBy(terminal, options.yes === true),
    onEvent(event) {
      money.onEvent(event)
      report(event, money, terminal)
    },
  })
  const { client } = session
  const plans = options.calls === undefined ? {} : { expectedCalls: options.calls }
  try {
    if (options.dryRun)
      return printDryRun(await client.dryRun(url, { ...init, signal }, plans), options, terminal)
    const answer = await createAnswer(options, terminal)
    let response: Response
    try {
      terminal.progress(`asking ${url.origin}`)
      response = await client.fetch(url, { ...init, signal }, plans)
    } catch (error) {
      await answer.abandon()
      throw error
    }
    terminal.close()
    await answer.write(response, money.paid())
    return response.status < 400 ? "answered" : "declined"
  } catch (error) {
    if (signal.aborted) throw new CommandError(`Stopped. ${money.sentence(money.isOpen())}`, "interrupted")
    throw session.signingTrouble() ?? error
  } finally {
    session.close()
  }
}

/** `--max` says two things: no more than that, and up to that without a question. */
function budgetOf({ budget }: CommandSettings, { max }: FetchOptions): CommandSettings["budget"] {
  if (max === undefined) return budget
  let most: bigint
  try {
    most = parseMicros(max)
  } catch {
    throw new CommandError('--max is wrong: wanted dollars, such as "0.05".')
  }
  const limit = parseMicros(budget.perPurchase)
  return {
    ...budget,
    perPurchase: formatMicros(most < limit ? most : limit),
    approveAbove: formatMicros(most),
  }
}

/** No option approves a new recipient in advance: it is also the sign of a seller that was taken over. */
const approvalBy =
  (terminal: Terminal, isAgreed: boolean): Approve =>
  async (purchase) => {
    if (isAgreed && purchase.reason === "price") return true
    return terminal.isAttended && terminal.confirm(questionOf(purchase))
  }

function report(event: ClientEvent, money: Money, terminal: Terminal): void {
  const last = money.paid().at(-1)
  if (event.type === "purchase_started")
    terminal.progress(
      `paying ${event.amount} ${event.asset} to ${event.origin} for ${quoted(nameOf(event.offer))}`,
    )
  if (event.type === "waiting" && event.reason !== undefined)
    terminal.say(`${event.origin} answers ${event.reason}; asking again in ${Math.ceil(event.seconds)} s`)
  if (event.type === "resent") terminal.progress(`asking ${event.origin} once more for its answer`)
  if ((event.type === "purchased" || event.type === "called") && last?.isTaken)
    terminal.say(
      `paid ${last.amount} ${last.asset} to ${last.origin} for ${quoted(nameOf(last.offer))} (${quoted(last.scope)})`,
    )
  if (event.type === "not_accepted") terminal.say(refusedText(event))
  if (event.type === "ignored")
    terminal.say(`${event.origin} wants money in a way that ticket402 does not pay`)
}

function refusedText(event: Extract<ClientEvent, { type: "not_accepted" }>): string {
  const { origin, grant, clockBehindSeconds } = event
  const clock = clockBehindSeconds === undefined ? "" : `: its clock is ${clockBehindSeconds} s behind`
  return `${origin} does not accept the token of grant ${quoted(grant)}${clock}`
}
