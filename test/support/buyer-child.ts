/**
 * Runs a buyer in a process of its own on a shared store; prints "ready", waits for a line, and prints how
 * its calls ended.
 */
import { once } from "node:events"
import { privateKeyToAccount } from "viem/accounts"
import { type Client, createClient, Ticket402Error } from "../../client/index.ts"
import { createFileStore } from "../../client/node/index.ts"
import type { BuyerOrder, BuyerStep } from "./buyers.ts"

const order = JSON.parse(process.argv[2] ?? "{}") as BuyerOrder

const killSelfAt = (step: BuyerStep): void => {
  if (order.dieAt === step) process.kill(process.pid, "SIGKILL")
}
const killAfter =
  <A extends unknown[], R>(step: BuyerStep, act: (...args: A) => Promise<R>) =>
  async (...args: A): Promise<R> => {
    const result = await act(...args)
    killSelfAt(step)
    return result
  }

const store = await createFileStore({ file: order.file })
const account = privateKeyToAccount(order.key)
const client: Client = createClient({
  account: { address: account.address, signTypedData: killAfter("signed", account.signTypedData as never) },
  budget: order.budget,
  networks: ["eip155:11155111"],
  dpop: order.dpop === true,
  store: {
    ...store,
    reserve: killAfter("reserved", store.reserve),
    keep: killAfter("kept", store.keep),
    add: killAfter("added", store.add),
  },
  now: () => Date.now() / 1000 + (order.aheadSeconds ?? 0),
  async fetch(input, init) {
    const response = await fetch(input, init)
    if (new Headers(init?.headers).has("payment-signature")) killSelfAt("sent")
    else if (init?.body instanceof URLSearchParams) killSelfAt("refreshed")
    return response
  },
})

process.stdout.write("ready\n")
await once(process.stdin, "data")
const ends = await Promise.all(
  Array.from({ length: order.calls ?? 1 }, async () => {
    try {
      const response = await client.fetch(order.url)
      await response.body?.cancel()
      return String(response.status)
    } catch (error) {
      return error instanceof Ticket402Error ? error.code : String(error)
    }
  }),
)
process.stdout.write(`${JSON.stringify(ends)}\n`)
process.stdin.destroy()
store.close()
