/** Starts buyers as child processes that share a store. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { ClientOptions } from "../../client/index.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { bundled } from "./bundle.ts"

/** The steps after which a buyer may kill itself. */
export type BuyerStep = "reserved" | "signed" | "kept" | "sent" | "added" | "refreshed"

export type BuyerOrder = {
  readonly file: string
  readonly key: Hex
  readonly url: string
  readonly budget: ClientOptions["budget"]
  readonly calls?: number
  readonly dpop?: boolean
  readonly dieAt?: BuyerStep
  /** Seconds by which the buyer's clock is ahead. */
  readonly aheadSeconds?: number
}

/**
 * Starts all buyers at once. Returns a status or an error code for each call of each buyer; undefined for a
 * buyer that was killed.
 */
export async function runBuyers(...orders: BuyerOrder[]): Promise<(string[] | undefined)[]> {
  const script = bundled("test/support/buyer-child.ts")
  const buyers = orders.map((order) => {
    const child = spawn(process.execPath, [script, JSON.stringify(order)], {
      stdio: ["pipe", "pipe", "inherit"],
    })
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
  })
  for (const { lines } of buyers) await lines.next()
  for (const { child } of buyers) child.stdin.write("go\n")
  return Promise.all(
    buyers.map(async ({ lines }) => {
      const { value, done } = await lines.next()
      return done ? undefined : (JSON.parse(value) as string[])
    }),
  )
}
