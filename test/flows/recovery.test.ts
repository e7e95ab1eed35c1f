import { chmod, mkdtemp, rename, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { ConfigInput } from "../../server/config/config.ts"
import { commitmentHeader } from "../../shared/oauth/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { runReconcile } from "../support/ledger.ts"
import { randomAccount } from "../support/payments.ts"
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type ServiceOptions,
  type TestService,
} from "../support/service.ts"

let chain: LocalChain
let proxy: RpcProxy
let folder: string
let config: Partial<ConfigInput>
let service: TestService | undefined
const database = () => join(folder, "ticket402.db")

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  proxy = await startRpcProxy(chain.rpcUrl)
})
afterAll(async () => {
  await proxy.close()
  await chain.stop()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "recovery-"))
  config = {
    payTo: randomAccount().address,
    database: `sqlite:${database()}`,
    keys: join(folder, "keys"),
    relayer: { privateKeyFile: join(folder, "relayer.key") },
  }
})
afterEach(async () => {
  proxy.fault = undefined
  await service?.close()
  await rm(folder, { recursive: true, force: true })
})

async function open(options: ServiceOptions = {}): Promise<TestService> {
  await service?.close()
  service = await openService({
    chain,
    rpcUrl: proxy.url,
    ...options,
    config: { ...config, ...options.config },
  })
  config = { issuer: service.url, ...config }
  return service
}

/** Sells and waits for settlement. */
async function sell(seller: TestService) {
  const purchase = await preparePurchase(
    { accepted: seller.accepted, url: config.issuer ?? seller.url },
    await seller.customer(),
  )
  const sold = await postToken(seller.url, purchase.headers)
  expect(sold.status).toBe(200)
  await eventually(
    () => postToken(seller.url, retryHeaders(purchase)),
    ({ body }) => body.grant.settlement.state === "settled",
  )
  return { purchase, refreshToken: sold.body.refresh_token as string }
}

/** Makes an online backup; the result restores it once the service has stopped. */
async function backup(): Promise<() => Promise<void>> {
  const copy = join(folder, "backup.db")
  const db = new Sqlite(database(), { readonly: true })
  db.prepare("VACUUM INTO ?").run(copy)
  db.close()
  return async () => {
    for (const end of ["-wal", "-shm"]) await rm(`${database()}${end}`, { force: true })
    await chmod(copy, 0o600)
    await rename(copy, database())
  }
}

const ledger = (): { kind: string; redemption_key: string | null }[] => {
  const db = new Sqlite(database(), { readonly: true })
  try {
    return db.prepare<[], { kind: string; redemption_key: string | null }>("SELECT * FROM entries").all()
  } finally {
    db.close()
  }
}
const answerTo = async (seller: TestService, headers: Record<string, string>) => {
  const { status, body } = await postToken(seller.url, headers)
  return `${status} ${body.reason ?? "sold"} ${body.next?.action ?? ""}`.trim()
}
const ready = async (seller: TestService) => (await fetch(`${seller.url}/health/ready`)).status

describe("a store restored from a backup", () => {
  it("KEY-09: sells nothing until later payments are imported, each once", async () => {
    const before = await open()
    const early = await sell(before)
    const restore = await backup()
    const late = await sell(before)
    const later = await sell(before)
    await before.close()
    service = undefined
    await restore()

    let release = () => {}
    proxy.fault = {
      kind: "hold",
      method: "eth_getLogs",
      until: new Promise<void>((resolve) => {
        release = resolve
      }),
    }
    const after = await open()
    expect(await ready(after)).toBe(503)
    expect(await answerTo(after, retryHeaders(late.purchase))).toBe("503 recovering retry")
    // Sales in the backup are answered as before.
    expect(await answerTo(after, retryHeaders(early.purchase))).toBe("200 sold")
    release()
    proxy.fault = undefined
    await eventually(
      () => ready(after),
      (status) => status === 200,
    )

    // A copy of the payment buys nothing, and the commitment alone is in the log of the first request.
    const { [commitmentHeader]: _, ...copied } = late.purchase.headers
    expect(await answerTo(after, copied)).toBe("400 grant_lost stop")
    expect(await answerTo(after, late.purchase.headers)).toBe("400 payment_on_chain retry")
    // The opener of the nonce gets the purchase again, once.
    for (const { purchase } of [late, later])
      expect(await answerTo(after, retryHeaders(purchase))).toBe("200 sold")
    expect(await answerTo(after, copied)).toBe("409 authorization_conflict stop")
    // The buyer's client does not buy again automatically.
    expect((await refresh(after.url, late.refreshToken)).body).toMatchObject({
      reason: "grant_lost",
      next: { action: "stop" },
    })
    expect((await refresh(after.url, early.refreshToken)).status).toBe(200)
    await sell(after)
    expect(ledger().filter(({ kind }) => kind === "imported")).toHaveLength(2)
    expect(ledger().filter(({ kind }) => kind === "claimed")).toHaveLength(2)
    expect((await runReconcile(after)).at(-1)).toEqual({
      kind: "summary",
      difference: "0",
      differences: 0,
      brokenInvariants: 0,
      code: 0,
    })
  })

  it("KEY-09: when new, starts with its relayer's settlements since startBlock", async () => {
    const before = await open()
    const old = await sell(before)
    const startBlock = Number(await chain.request("eth_blockNumber")) + 1
    const recent = await sell(before)
    await before.close()
    service = undefined
    for (const end of ["", "-wal", "-shm"]) await rm(`${database()}${end}`, { force: true })

    const id = Object.keys(before.config.networks)[0] ?? ""
    const after = await open({ config: { networks: { [id]: { rpcUrls: [proxy.url], startBlock } } } })
    expect(ledger().map(({ kind }) => kind)).toEqual(["imported", "ended"])
    expect(await answerTo(after, retryHeaders(recent.purchase))).toBe("200 sold")
    // Before startBlock only the chain knows of the payment.
    expect(await answerTo(after, retryHeaders(old.purchase))).toBe("200 sold")
    await sell(after)
  })

  it("is distinguished from an ordinary restart, which imports nothing", async () => {
    const before = await open()
    await sell(before)
    const after = await open()
    expect(await ready(after)).toBe(200)
    expect(ledger().map(({ kind }) => kind)).toEqual(["redeemed", "settled"])
  })

  it("sells nothing while the chain is unreachable and resumes automatically", async () => {
    proxy.fault = { kind: "down" }
    const seller = await open()
    const purchase = await preparePurchase(
      { accepted: seller.accepted, url: seller.url },
      await seller.customer(),
    )
    expect(await answerTo(seller, purchase.headers)).toBe("503 recovering retry")
    proxy.fault = undefined
    const sold = await eventually(
      () => postToken(seller.url, purchase.headers),
      ({ status }) => status !== 503,
    )
    expect(sold.status).toBe(200)
  })
})
