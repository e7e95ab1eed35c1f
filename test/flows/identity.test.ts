import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { ConfigInput } from "../../server/config/config.ts"
import { StoreFileError } from "../../server/ports/store.ts"
import { openStore } from "../../server/stores/index.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { storedIn } from "../support/offers.ts"
import { randomAccount } from "../support/payments.ts"
import { openService, postToken, preparePurchase, refresh, retryHeaders } from "../support/service.ts"

let chain: LocalChain
let folder: string
let config: Partial<ConfigInput>
const issuer = "http://127.0.0.1:8402"

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  return () => chain.stop()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "identity-"))
  config = { issuer, payTo: randomAccount().address, ...storedIn(folder) }
  return () => rm(folder, { recursive: true, force: true })
})
const start = (change: Partial<ConfigInput> = {}, options = {}) =>
  openService({ chain, config: { ...config, ...change }, issuer: options })
const refusal = (change: Partial<ConfigInput>): Promise<unknown> =>
  start(change).then(
    (service) => service.close().then(() => "started"),
    (error: unknown) => error,
  )

describe("books", () => {
  it("KEY-15: refuse a service of another issuer, and name both", async () => {
    await (await start()).close()
    const error = await refusal({ issuer: "http://127.0.0.1:9999" })
    expect(error).toBeInstanceOf(StoreFileError)
    expect(error).toMatchObject({
      message: expect.stringMatching(/found the books of http:\/\/127\.0\.0\.1:8402, wanted .*:9999$/),
    })
  })

  it("KEY-15: refuse a process with other keys, and name both rings", async () => {
    await (await start()).close()
    const error = await refusal({ keys: join(folder, "other-keys") })
    expect(error).toBeInstanceOf(StoreFileError)
    expect(error).toMatchObject({ message: expect.stringMatching(/the keys [0-9a-f]{32}, .* [0-9a-f]{32};/) })
  })

  it("log and book a start with another payTo", async () => {
    await (await start()).close()
    const warnings: unknown[] = []
    const quiet = { debug() {}, info() {}, error() {} }
    const warn = (fields: unknown, message: string) => void warnings.push({ message, ...(fields as object) })
    const payTo = randomAccount().address
    await (await start({ payTo }, { log: { ...quiet, warn } })).close()
    await (await start({ payTo })).close()
    const change = { before: config.payTo?.toLowerCase(), after: payTo.toLowerCase() }
    expect(warnings).toContainEqual(
      expect.objectContaining({ ...change, message: expect.stringContaining("payTo has changed") }),
    )
    const store = await openStore(String(config.database))
    const entries = await store.entries({ after: 0, limit: 9 })
    await store.close()
    expect(entries).toMatchObject([{ kind: "payee_changed", grantId: null, facts: change }])
  })

  it("change their generation at every start", async () => {
    const generations: string[] = []
    for (let starts = 0; starts < 2; starts++) {
      const service = await start()
      const list = await (await fetch(`${service.url}/revocations`)).text()
      const body = Buffer.from(list.split(".")[1] ?? "", "base64url").toString()
      generations.push(JSON.parse(body).generation)
      await service.close()
    }
    expect(new Set(generations).size).toBe(2)
  })
})

describe("a second resource on the same books", () => {
  it("TOK-34: takes no refresh token and no repetition of a purchase at the first", async () => {
    const cheap = await start({ resource: `${issuer}/cheap` })
    const dear = await start({ resource: `${issuer}/dear` })
    const purchase = await preparePurchase(cheap, await cheap.customer(), {
      resource: `${issuer}/cheap`,
    })
    const { status, body } = await postToken(cheap.url, purchase.headers)
    expect(status).toBe(200)
    expect((await refresh(dear.url, body.refresh_token)).body.reason).toBe("refresh_token_invalid")
    expect((await postToken(dear.url, retryHeaders(purchase))).body.reason).toBe("authorization_conflict")
    expect((await refresh(cheap.url, body.refresh_token)).status).toBe(200)
    await cheap.close()
    await dear.close()
  })
})
