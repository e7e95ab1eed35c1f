import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeEach, describe, expect, it } from "vitest"
import { initChain } from "../../server/commands/init-chain.ts"
import { keys } from "../../server/commands/keys.ts"
import { ledger } from "../../server/commands/ledger.ts"
import { reconcileCommand } from "../../server/commands/reconcile.ts"
import { revoke } from "../../server/commands/revoke.ts"
import { whitelist } from "../../server/commands/whitelist.ts"
import type { ConfigInput } from "../../server/config/config.ts"
import { openKeys } from "../../server/keys/index.ts"
import { openStore } from "../../server/stores/index.ts"
import { configInput, storedIn } from "../support/offers.ts"

const issuer = "http://127.0.0.1:8402"
const now = 1_800_000_000
const grant = "A".repeat(22)
let folder: string
let ring: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foreign-books-"))
  ring = (await openKeys(join(folder, "keys"), { now: () => now })).ringId()
  const store = await openStore(storedIn(folder).database)
  await store.identify({ issuer, ring, payTo: `0x${"1".repeat(40)}`, generation: "0".repeat(32), now })
  await store.close()
  return () => rm(folder, { recursive: true, force: true })
})

type Io = Parameters<typeof keys>[2]
const commands: Record<string, (config: string, io: Io) => Promise<number>> = {
  "ledger list": (config, io) => ledger("list", { config }, io),
  "ledger credit": (config, io) => ledger("credit", { config, grant, units: "1" }, io),
  "whitelist add": (config, io) =>
    whitelist("add", { config, clientId: "billing", scope: "movies:read" }, io),
  revoke: (config, io) => revoke({ config, grant }, io),
  "keys list": (config, io) => keys("list", { config }, io),
  "keys rotate": (config, io) => keys("rotate", { config }, io),
  reconcile: (config, io) => reconcileCommand({ config }, io),
  "init-chain": (config, io) => initChain({ config }, io),
}
async function run(name: string, change: Partial<ConfigInput>, kid = "unknown") {
  const config = join(folder, "config.json")
  await writeFile(config, JSON.stringify(configInput({ issuer, ...storedIn(folder), ...change })))
  const printed: string[] = []
  const warned: string[] = []
  const io = {
    environment: {},
    now: () => now,
    print: (line: string) => void printed.push(line),
    warn: (line: string) => void warned.push(line),
  }
  const code = await (name === "keys remove"
    ? keys("remove", { config, kid }, io)
    : commands[name]?.(config, io))
  return { code, printed, text: warned.join("\n") }
}

describe("on the books of another service", () => {
  it.each(Object.keys(commands))(
    "KEY-15: %s exits 78, names both issuers and prints nothing",
    async (name) => {
      const { code, printed, text } = await run(name, { issuer: "http://127.0.0.1:9999" })
      expect([code, printed]).toEqual([78, []])
      expect(text).toMatch(
        /found the books of http:\/\/127\.0\.0\.1:8402, wanted those of http:\/\/127\.0\.0\.1:9999$/,
      )
    },
  )

  it.each(Object.keys(commands))("KEY-15: %s exits 78 with other keys and names both", async (name) => {
    const other = (await openKeys(join(folder, "other"), { now: () => now })).ringId()
    const { code, printed, text } = await run(name, { keys: join(folder, "other") })
    expect([code, printed]).toEqual([78, []])
    expect(text).toContain(`found the books of the keys ${ring}, wanted those of ${other};`)
  })

  it("KEY-15: a removed key leaves the books the service's own", async () => {
    const [{ kid }] = (await run("keys list", {})).printed.map((line) => JSON.parse(line))
    expect(await run("keys remove", {}, kid)).toMatchObject({ code: 0, text: "" })
    expect(await run("ledger list", {})).toMatchObject({ code: 0, text: "" })
    expect((await openKeys(join(folder, "keys"), { now: () => now })).ringId()).toBe(ring)
  })

  it("KEY-15: a command without keys exits 78 and makes no folder of keys", async () => {
    const { code, text } = await run("ledger list", { keys: join(folder, "missing") })
    expect(code).toBe(78)
    expect(text).toContain(`the keys ${ring}, wanted those of a folder without keys;`)
    expect(await readdir(folder)).not.toContain("missing")
  })
})

it("a command works on the service's own books, and on books that no service has opened", async () => {
  expect(await run("ledger list", {})).toMatchObject({ code: 0, text: "" })
  expect(await run("keys list", {})).toMatchObject({ code: 0, text: "" })
  const database = `sqlite:${join(folder, "new.db")}`
  expect(await run("ledger list", { database, keys: join(folder, "missing") })).toMatchObject({ code: 0 })
})
