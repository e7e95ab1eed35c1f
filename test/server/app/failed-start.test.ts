import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createIssuer } from "../../../server/app/issuer.ts"
import type { IssuerOptions } from "../../../server/app/issuer-options.ts"
import type { ConfigInput } from "../../../server/config/config.ts"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { createExternalSigner } from "../../support/key-folder.ts"
import { leftoversOf } from "../../support/leftovers.ts"
import { configInput, sepoliaId, storedIn } from "../../support/offers.ts"

let chain: LocalChain
let root: string
let folder: string
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  root = await mkdtemp(join(tmpdir(), "failed-start-"))
})
beforeEach(async () => {
  folder = await mkdtemp(join(root, "service-"))
})
afterAll(async () => {
  await chain.stop()
  await rm(root, { recursive: true, force: true })
})

const databaseFile = () => join(folder, "ticket402.db")
const configOf = (changes: Partial<ConfigInput> = {}): ConfigInput =>
  configInput({ ...storedIn(folder), networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } }, ...changes })
const startAndClose = async (input: ConfigInput, options: IssuerOptions = {}) =>
  (await createIssuer(input, options)).close()

function inBooks(sql: string): void {
  const db = new Database(databaseFile(), { timeout: 0 })
  try {
    db.exec(sql)
  } finally {
    db.close()
  }
}
/** Creates the books by a first start, and changes them while no service runs. */
async function changeBooks(sql: string): Promise<void> {
  await startAndClose(configOf())
  inBooks(sql)
}
const refuseInserts = (table: string) =>
  changeBooks(
    `CREATE TRIGGER refused BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'no ${table}'); END`,
  )

const pricedAt = (network: string, amount?: string): ConfigInput["offers"] => [
  {
    id: "other",
    scope: "movies:read",
    durationSeconds: 3600,
    prices: [{ network, asset: "USDC", ...(amount !== undefined && { amount }) }],
  },
]
const baseSepoliaId = `eip155:${baseSepolia.chainId}`

type Case = {
  readonly dependency: string
  readonly failure: RegExp
  readonly prepare?: () => Promise<void>
  readonly config?: () => Partial<ConfigInput>
  readonly options?: IssuerOptions
}

const cases: readonly Case[] = [
  {
    dependency: "a price without an amount and a function",
    failure: /offers\.0\.prices\.0\.amount/,
    config: () => ({ offers: pricedAt(sepoliaId) }),
  },
  {
    dependency: "a file in the place of the keys",
    failure: /KeyFileError|EEXIST|ENOTDIR/,
    prepare: () => writeFile(join(folder, "keys"), ""),
  },
  {
    dependency: "a signer that signs with another key",
    failure: /signer/,
    options: { signer: { ...createExternalSigner(), publicJwk: createExternalSigner().publicJwk } },
  },
  {
    dependency: "a relayer key that is none",
    failure: /relayer\.key/,
    prepare: () => writeFile(join(folder, "relayer.key"), "none", { mode: 0o600 }),
  },
  {
    dependency: "a node of another chain",
    failure: /rpcUrls/,
    config: () => ({
      networks: { [baseSepoliaId]: { rpcUrls: [chain.rpcUrl] } },
      offers: pricedAt(baseSepoliaId, "0.01"),
    }),
  },
  {
    dependency: "a recipient whose key is public",
    failure: /payTo/,
    config: () => ({
      payTo: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
      networks: { [sepoliaId]: { rpcUrls: ["http://127.0.0.1:9"] } },
    }),
  },
  {
    dependency: "a database of no known kind",
    failure: /wanted "sqlite:FILE"/,
    config: () => ({ database: "oracle:books" }),
  },
  {
    dependency: "a folder in the place of the database",
    failure: /ticket402\.db/,
    prepare: async () => void (await mkdir(databaseFile())),
  },
  {
    dependency: "a database of another program",
    failure: /ticket402\.db/,
    prepare: () => writeFile(databaseFile(), "no database, but longer than a header ".repeat(9)),
  },
  {
    dependency: "books that contradict themselves",
    failure: /I3/,
    prepare: () => changeBooks("UPDATE totals SET queued = 7"),
  },
  {
    dependency: "offers that cannot be written",
    failure: /refused the write/,
    prepare: () => refuseInserts("offers"),
    config: () => ({ offers: pricedAt(sepoliaId, "0.02") }),
  },
  {
    dependency: "a whitelist that cannot be written",
    failure: /refused the write/,
    prepare: () => refuseInserts("whitelist"),
    config: () => ({ whitelist: [{ address: `0x${"a".repeat(40)}`, scope: "movies:read" }] }),
  },
]

describe("a start that fails", () => {
  it.each(cases)("leaves nothing open after $dependency", async ({ failure, prepare, config, options }) => {
    await prepare?.()
    const left = await leftoversOf(folder, async () => {
      const error = await startAndClose(configOf(config?.()), options).catch((reason: unknown) => reason)
      expect(String(error)).toMatch(failure)
    })
    expect(left).toEqual([])
  })

  it("releases all resources and the books after any failed reading of the clock", async () => {
    let readings = 0
    const now = (failing: number) => () => {
      readings += 1
      if (readings === failing) throw new Error("no time")
      return Math.floor(Date.now() / 1000)
    }
    const failed: number[] = []
    for (let failing = 1; failing <= 30; failing++) {
      readings = 0
      const left = await leftoversOf(folder, () =>
        startAndClose(configOf(), { now: now(failing) }).catch(() => failed.push(failing)),
      )
      expect(left, `reading ${failing}`).toEqual([])
      inBooks("BEGIN EXCLUSIVE; ROLLBACK")
    }
    // Keys, offers, whitelist and feeds: each of them asks for the time.
    expect(failed.length).toBeGreaterThan(5)
  }, 60_000)
})

describe("a service that stops", () => {
  it("holds no thread, timer, socket, file or lock afterwards", async () => {
    const left = await leftoversOf(folder, () => startAndClose(configOf()))
    expect(left).toEqual([])
    inBooks("BEGIN EXCLUSIVE; ROLLBACK")
  })
})
