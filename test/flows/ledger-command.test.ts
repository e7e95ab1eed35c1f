import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { ledger } from "../../server/commands/ledger.ts"
import { importedPayment } from "../../server/core/imported.ts"
import { openSqliteStore } from "../../server/stores/sqlite/store.ts"
import { networks } from "../../shared/networks/index.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import { runCommand } from "../support/command.ts"
import { configInput } from "../support/offers.ts"
import { network, orderOf, preparation, relayer, start, versionOf } from "../support/orders.ts"

let folder: string
let file: string
const [dead, waiting, sent] = [orderOf(), orderOf(), orderOf()]
const version = versionOf()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ledger-"))
  file = join(folder, "config.json")
  const database = join(folder, "ticket402.db")
  await writeFile(file, JSON.stringify(configInput({ database: `sqlite:${database}` })))
  const store = await openSqliteStore({ file: database })
  for (const order of [dead, waiting, sent]) await store.redeem(order)
  const { fence } = (await store.lease({ holder: "worker", seconds: 30, now: start }))!
  const move = { to: "dead", error: "the asset cannot be read" } as const
  await store.conclude({ fence, moves: [{ key: dead.key, move }], now: start })
  const { nonce } = await store.nextNonce({ fence, network, relayer, chainNonce: 0 })
  const { id } = await store.prepare({ fence, nonce, ...preparation([sent.key]) })
  await store.replace({ fence, transactionId: id, version, now: start })
  await store.close()
})
afterAll(() => rm(folder, { recursive: true }))

async function run(task: "list" | "show" | "retry", options: Record<string, string> = {}) {
  const lines: string[] = []
  const warnings: string[] = []
  const code = await ledger(
    task,
    { config: file, ...options },
    { environment: {}, print: (line) => lines.push(line), warn: (line) => warnings.push(line) },
  )
  return { code, lines: lines.map((line) => JSON.parse(line)), text: lines.join("\n"), warnings }
}

it("ledger list prints payments in the order of sale, by state and page", async () => {
  const all = await run("list")
  expect([all.code, all.lines.map(({ key }) => key)]).toEqual([0, [dead.key, waiting.key, sent.key]])
  const next = await run("list", { after: String(all.lines[0].sequence), limit: "1" })
  expect(next.lines.map(({ key }) => key)).toEqual([waiting.key])
  const { lines } = await run("list", { state: "dead" })
  expect(lines).toMatchObject([
    { key: dead.key, state: "dead", value: "10000", attempts: 1, lastError: "the asset cannot be read" },
  ])
})

it("ledger list prints payments that were found on chain, as paid", async () => {
  const [info] = [networks.get(network)]
  const asset = info?.assets[0]
  if (!info || !asset) throw new Error("the network has no asset")
  const account = `0x${"a".repeat(40)}` as const
  const nonce = `0x${"b".repeat(64)}` as const
  const payment = { payer: account, payTo: account, value: 1000n, nonce, logIndex: 0 }
  const evidence = { transactionHash: nonce, blockHash: nonce, blockNumber: 7n, logIndex: 0 }
  const found = importedPayment({
    ...{ network: info, asset, scheme: exactEip3009, payment, evidence },
    grantId: "found",
    now: start,
  })
  const store = await openSqliteStore({ file: join(folder, "ticket402.db") })
  await store.catchUp({ network, since: 5n, done: 10n, nonces: [], payments: [found], now: start })
  await store.close()
  const { lines } = await run("list", { state: "paid" })
  expect(lines).toMatchObject([{ key: found.redemption.key, state: "paid", value: "1000" }])
})

it("ledger show prints a payment's hashes and no signature or signed bytes", async () => {
  const { lines, text } = await run("show", { key: sent.key })
  expect(lines).toMatchObject([
    {
      state: "sent",
      transactions: [{ relayer, nonce: 0, versions: [{}, { hash: version.hash }] }],
      entries: [{ kind: "redeemed" }],
    },
  ])
  for (const secret of [sent.transfer.signature, version.raw]) expect(text).not.toContain(secret)
})

it("SET-41: ledger retry revives a dead payment from another process and books it", async () => {
  const args = ["ledger", "retry", dead.key, "--config", file]
  const { code, stdout } = await runCommand("scripts/ticket402.ts", args).ended
  expect([code, JSON.parse(stdout)]).toEqual([0, { retried: dead.key }])
  const { lines } = await run("show", { key: dead.key })
  expect(lines).toMatchObject([
    {
      state: "accepted",
      attempts: 0,
      dueAt: 0,
      entries: [{ kind: "redeemed" }, { kind: "dead" }, { kind: "retried" }],
    },
  ])
})

it.each([
  ["show", { key: "nobody's" }, 'there is no redemption "nobody\'s"'],
  ["retry", { key: waiting.key }, `${waiting.key}: found state accepted, wanted dead`],
  ["list", { state: "lost" }, '--state: found "lost", wanted one of accepted, sent'],
  ["list", { limit: "0" }, '--limit: found "0", wanted a whole number from 1'],
  ["list", { after: "x" }, '--after: found "x", wanted a whole number from 0'],
] as const)("ledger %s with %j ends with 78 and names the problem", async (task, options, problem) => {
  const { code, lines, warnings } = await run(task, options)
  expect([code, lines]).toEqual([78, []])
  expect(warnings[0]).toContain(problem)
})
