import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { adminIn, askAdmin, type Role, tokenOf } from "../support/admin.ts"
import { eventually, openService, postToken, preparePurchase, type TestService } from "../support/service.ts"

let service: TestService
let folder: string
let payer: string

const ask = (path: string, init: RequestInit & { role?: Role } = {}) =>
  askAdmin(service, path, { folder, ...init })
const body = async (path: string) => (await ask(path)).body

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "admin-ledger-"))
  service = await openService({ config: { admin: adminIn(folder) } })
  const customers = [await service.customer(), await service.customer()]
  payer = customers[0]?.address ?? ""
  for (const account of customers)
    expect((await postToken(service.url, (await preparePurchase(service, account)).headers)).status).toBe(200)
  await eventually(
    () => body("/api/ledger?kind=settled"),
    ({ entries }) => entries.length === 2,
  )
})
afterAll(async () => {
  await service.close()
  await rm(folder, { recursive: true })
})

describe("the ledger of the admin address", () => {
  it("is read page by page, with the sequence to read on after", async () => {
    const first = await body("/api/ledger?limit=3")
    expect(first.entries.map(({ sequence }: { sequence: number }) => sequence)).toEqual([1, 2, 3])
    expect(first.generation).toMatch(/^[0-9a-f]{32}$/)
    const second = await body(`/api/ledger?after=${first.next}&limit=3`)
    expect([second.entries.length, second.next]).toEqual([1, null])
    expect(first.entries[0]).toMatchObject({ kind: "redeemed", facts: { value: "10000", paid: "true" } })
  })

  it("is filtered by every member, and refuses values that can match nothing", async () => {
    const entries = async (query: string) => (await body(`/api/ledger?${query}`)).entries.length
    const { grant, facts } = (await body(`/api/ledger?payer=${payer}`)).entries[0]
    expect(facts.payer).toBe(payer.toLowerCase())
    expect(await entries(`payer=${payer}`)).toBe(2)
    expect(await entries(`grant=${grant}&kind=redeemed,settled`)).toBe(2)
    expect(await entries(`offer=hour&network=${facts.network}&asset=${facts.asset}`)).toBe(4)
    expect(await entries("offer=studio")).toBe(0)
    expect(await entries("state=dead")).toBe(0)
    expect(await entries("from=2026-01-01T00:00:00Z")).toBe(4)
    expect(await entries("to=1700000000")).toBe(0)
    for (const query of ["kind=sold", "state=gone", "payer=0x1", "from=yesterday", "asset=USDC"])
      expect(await ask(`/api/ledger?${query}`), query).toMatchObject({
        status: 400,
        body: { error: "malformed" },
      })
  })

  it("is exported as JSON Lines and as CSV with every entry once", async () => {
    const { entries } = await body("/api/ledger")
    const lines = (await body("/api/ledger.jsonl")).trim().split("\n")
    expect(lines.map((line: string) => JSON.parse(line))).toEqual(entries)
    const { body: csv, headers } = await ask("/api/ledger.csv?kind=redeemed")
    const rows = csv.trim().split("\r\n")
    expect(rows[0]).toBe(
      "sequence,at,kind,grant,payment,network,asset,payer,offer,value,transaction,block,note,facts",
    )
    expect(rows).toHaveLength(3)
    expect(rows[1]).toContain(`,${payer.toLowerCase()},`)
    expect(headers.get("content-disposition")).toBe('attachment; filename="ledger.csv"')
  })

  it("ADM-10: a note that is a formula stays text in a spreadsheet", async () => {
    const { grant } = (await body("/api/ledger?kind=redeemed")).entries[1]
    const note = '=HYPERLINK("http://evil.example")'
    await ask(`/api/grants/${grant}/revoke`, { method: "POST", body: JSON.stringify({ note }) })
    const { body: csv } = await ask("/api/ledger.csv?kind=ended")
    expect(csv).toContain(`"'=HYPERLINK(""http://evil.example"")"`)
  })

  it("is summed by offer, network, asset and payer, by hour and day", async () => {
    const sums = (payments: number) => ({ payments, value: String(payments * 10_000) })
    const [all] = (await body("/api/totals")).totals
    expect(all).toMatchObject({
      sold: sums(2),
      settled: sums(2),
      unsettled: sums(0),
      failed: sums(0),
      free: 0,
    })
    expect((await body("/api/totals?by=payer")).totals).toHaveLength(2)
    const [day] = (await body("/api/totals?by=offer&per=day")).totals
    expect([day.since % 86_400, day.offer, day.sold]).toEqual([0, service.accepted.extra?.offer, sums(2)])
    expect((await body(`/api/totals?payer=${payer}&per=hour`)).totals[0].sold).toEqual(sums(1))
    expect((await ask("/api/totals?by=route")).status).toBe(400)
  })

  it("has an overview of sales, risk, queue and gas", async () => {
    expect(await body("/api/overview")).toMatchObject({
      sequence: 5,
      day: [{ sold: { payments: 2, value: "20000" } }],
      unsettled: { value: "0", limit: "1000" },
      lost: { value: "0", breaker: "closed" },
      queue: { payments: 0, limit: 10_000 },
      networks: [{ network: "eip155:11155111", sells: true, gas: { level: "good" } }],
    })
  })

  it("has accounts of earned and unearned revenue that sum to zero", async () => {
    const { at, accounts } = await body("/api/accounts")
    expect(accounts).toHaveLength(1)
    const [{ network, asset, ...sums }] = accounts
    expect([network, asset]).toEqual(["eip155:11155111", service.accepted.asset])
    expect(sums).toMatchObject({ received: "20000", unsettled: "0", lost: "0" })
    expect(Object.values<string>(sums).reduce((sum, each) => sum + BigInt(each), 0n)).toBe(0n)
    // One of the two grants was revoked, so its price is earned.
    expect(BigInt(sums.earned)).toBeLessThanOrEqual(-10_000n)
    expect(BigInt(sums.unearned)).toBeLessThan(0n)
    expect(at).toBeGreaterThan(1_700_000_000)
  })

  it("is open to a token of role read", async () => {
    for (const path of [
      "/api/ledger",
      "/api/ledger.csv",
      "/api/totals",
      "/api/overview",
      "/api/accounts",
      "/api/payments",
    ])
      expect((await ask(path, { role: "read" })).status).toBe(200)
    expect(await tokenOf(folder, "read")).toHaveLength(43)
  })
})
