/** A file written by the first version of the store, with a lock, three spendings, a grant and an unanswered payment. */
import { chmod, copyFile, mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { createFileStore } from "../../../client/node/index.ts"

const written = new URL("../../vectors/client-store-1.sqlite", import.meta.url)
const start = 1_800_000_000
const account = "0x1111111111111111111111111111111111111111"
const origin = "https://api.example"

async function openOld() {
  const file = join(await mkdtemp(join(tmpdir(), "client-")), "client.db")
  await copyFile(written, file)
  await chmod(file, 0o600)
  return createFileStore({ file })
}

test("an old file opens with its budget, recipients, grants and locks", async () => {
  const store = await openOld()
  expect(await store.sumSpending({ origin, offer: "hour" }, start + 1)).toEqual({
    day: 150n,
    originDay: 150n,
    origin: 150n,
    offer: 150n,
    total: 150n,
    refusals: 0,
    recipients: ["0x3333333333333333333333333333333333333333"],
  })
  expect((await store.listGrants(account)).map(({ id, refreshToken }) => [id, refreshToken])).toEqual([
    ["g", "refresh of g"],
  ])
  const lock = { name: "buy", holder: "b", until: start + 120 }
  expect(await store.lock(lock, start + 60)).toBe(true)
  // The spending that was reserved and never kept is void with its holder.
  expect(await store.sumSpending({ origin, offer: "hour" }, start + 61)).toMatchObject({ total: 100n })
  store.close()
})

test("CLI-14: an unanswered payment of an old file is taken over and answered", async () => {
  const store = await openOld()
  const payment = await store.findUnanswered(account, `${origin}/`)
  expect(payment).toMatchObject({ header: "header of one", sends: 1, lock: { name: "buy", holder: "a" } })
  const lock = { name: "buy", holder: "b", until: start + 120 }
  expect(await store.keep({ ...payment!, lock })).toBe(false)
  await store.lock(lock, start + 60)
  expect(await store.keep({ ...payment!, lock, sends: 2 })).toBe(true)
  expect(await store.findUnanswered(account, `${origin}/`)).toMatchObject({ sends: 2, lock: { holder: "b" } })
  await store.drop(payment!)
  expect(await store.findUnanswered(account, `${origin}/`)).toBeUndefined()
  store.close()
})
