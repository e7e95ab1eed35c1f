/** A buyer in a process of its own, on a store that others share; it may kill itself at a step. Says "ready", waits for a line, and says how its calls ended. */
import { once } from "node:events"
import { privateKeyToAccount } from "viem/accounts"
import { type Client, createClient, Ticket402Error } from "../../client/index.ts"
import { createFileStore } from "../../client/node/index.ts"
import type { BuyerOrder, BuyerStep } from "./buyers.ts"

const order = JSON.parse(process.argv[2] ?? "{}") as BuyerOrder

const dieAt = (step: BuyerStep): void => {
  if (order.dieAt === step) process.kill(process.pid, "SIGKILL")
}
const dying =
  <A extends unknown[], R>(step: BuyerStep, act: (...args: A) => Promise<R>) =>
  async (...args: A): Promise<R> => {
    const result = await act(...args)
    dieAt(step)
    return result
  }

const store = await createFileStore({ file: order.file })
const account = privateKeyToAccount(order.key)
const client: Client = createClient({
  account: { address: account.address, signTypedData: dying("signed", account.signTypedData as never) },
  budget: order.budget,
  networks: ["eip155:11155111"],
  dpop: order.dpop === true,
  store: {
    ...store,
    reserve: dying("reserved", store.reserve),
    keep: dying("kept", store.keep),
    add: dying("added", store.add),
  },
  now: () => Date.now() / 1000 + (order.aheadSeconds ?? 0),
  async fetch(input, init) {
    const response = await fetch(input, init)
    if (init?.body instanceof URLSearchParams) dieAt("refreshed")
    else if (new Headers(init?.headers).has("payment-signature")) dieAt("sent")
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
