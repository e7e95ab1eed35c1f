/**
 * Works on a SQLite store in a process of its own: `claim` redeems given keys, `write` redeems until it is
 * killed.
 */
import { openSqliteStore } from "../../server/stores/sqlite/store.ts"
import { orderOf } from "./orders.ts"

const [task = "", file = "", count = "0"] = process.argv.slice(2)
/** Synchronous on a pipe: a line that was written survives the end of the process. */
const say = (line: string) => process.stdout.write(`${line}\n`)

try {
  const store = await openSqliteStore({ file, deadlineMs: 20_000 })
  say("open")
  if (task === "claim") {
    const keys = Array.from({ length: Number(count) }, (_, index) => `race-${index}`)
    const outcomes = await Promise.all(keys.map((key) => store.redeem(orderOf({ key }))))
    for (const [index, outcome] of outcomes.entries()) if (outcome.kind === "redeemed") say(keys[index] ?? "")
  }
  while (task === "write") {
    const orders = [orderOf(), orderOf(), orderOf()]
    await Promise.all(orders.map(async (order) => (await store.redeem(order)) && say(order.key)))
  }
  await store.close()
} catch (error) {
  say(error instanceof Error ? `${error.name}: ${error.message}` : "failed")
}
