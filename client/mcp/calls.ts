/** Runs tool calls side by side on one client; each reports its own payments and its failure. */
import { AsyncLocalStorage } from "node:async_hooks"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { failureOf } from "../cli/failures.ts"
import { createMoney, type Money } from "../cli/money.ts"
import type { ClientEvent } from "../core/events.ts"
import { text } from "./answer.ts"

/** Longer than a person may take to answer. */
const callMilliseconds = 300_000

export type Calls = {
  /** Does the work of a tool call. A failure is an answer too, so that the agent learns about its payments. */
  answer(signal: AbortSignal, work: ToolWork): Promise<CallToolResult>
  readonly onEvent: (event: ClientEvent) => void
}

/** `signal` ends when the host gives the call up, or when it takes too long. */
export type ToolWork = (money: Money, signal: AbortSignal) => Promise<CallToolResult>

export function createCalls(): Calls {
  const running = new AsyncLocalStorage<Money>()
  return {
    async answer(signal, work) {
      const money = createMoney()
      const ending = AbortSignal.any([signal, AbortSignal.timeout(callMilliseconds)])
      try {
        return await running.run(money, () => work(money, ending))
      } catch (error) {
        const { code, message } = failed(error, money, ending)
        const report = JSON.stringify({ error: { code, message }, paid: money.paid() })
        return { isError: true, content: [text(report)] }
      }
    },
    // In the context of the call that made the purchase, so that calls which share it do not all count it.
    onEvent: (event) => running.getStore()?.onEvent(event),
  }
}

function failed(error: unknown, money: Money, signal: AbortSignal): { code: string; message: string } {
  if (signal.aborted)
    return {
      code: "given_up",
      message: `The call was given up before its answer. ${money.sentence(money.isOpen())}`,
    }
  const { code, text } = failureOf(error, money, "agent")
  return { code, message: text }
}
