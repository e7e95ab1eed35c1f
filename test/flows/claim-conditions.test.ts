import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { ConfigInput } from "../../server/config/config.ts"
import { openStore } from "../../server/stores/index.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { freePort } from "../support/free-port.ts"
import { sepoliaId, storedIn } from "../support/offers.ts"
import { randomAccount } from "../support/payments.ts"
import {
  eventually,
  offer,
  openService,
  type Purchase,
  postToken,
  preparePurchase,
  retryHeaders,
  submitByStranger,
} from "../support/service.ts"
import { spawnService } from "../support/spawn-service.ts"

const issuer = "http://127.0.0.1:8402"

let chain: LocalChain
let folder: string
let config: Partial<ConfigInput>
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
})
afterAll(() => chain.stop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "claim-"))
  config = { issuer, payTo: randomAccount().address, ...storedIn(folder) }
  return () => rm(folder, { recursive: true, force: true })
})

const open = (change: Partial<ConfigInput> = {}) => openService({ chain, config: { ...config, ...change } })
const settle = ({ transfer }: Purchase): Promise<Hex> =>
  submitByStranger(chain, exactEip3009.settlementCall(chain.asset, transfer).data)
const prepare = async (service: Awaited<ReturnType<typeof open>>): Promise<Purchase> =>
  preparePurchase({ accepted: service.accepted, url: issuer }, await service.customer())
const kinds = async () => {
  const store = await openStore(String(config.database))
  const entries = await store.entries({ after: 0, limit: 99 })
  await store.close()
  return entries.map(({ kind }) => kind)
}

describe("a payment that is on the chain before it comes", () => {
  it("RPL-26: is accepted at the depth that counts, and not before", async () => {
    const service = await open({
      networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl], confirmations: 3 } },
    })
    const purchase = await prepare(service)
    await settle(purchase)
    for (const blocks of [1, 1]) {
      expect(await postToken(service.url, retryHeaders(purchase))).toMatchObject({
        status: 400,
        body: { reason: "payment_on_chain", next: { action: "retry" } },
      })
      await chain.request("anvil_mine", [`0x${blocks}`])
    }
    expect((await postToken(service.url, retryHeaders(purchase))).status).toBe(200)
    await service.close()
  })

  it("RPL-26: needs no relayer with gas", async () => {
    const service = await open()
    const [purchase, sale] = [await prepare(service), await prepare(service)]
    await settle(purchase)
    await chain.fund(service.issuer.relayer, 0n)
    await eventually(
      () => postToken(service.url, sale.headers),
      ({ body }) => body.reason === "relayer_unfunded",
    )
    // With the secret a payment that is not on the chain is refused for the same reason.
    expect((await postToken(service.url, retryHeaders(sale))).body.reason).toBe("relayer_unfunded")
    expect((await postToken(service.url, retryHeaders(purchase))).status).toBe(200)
    await service.close()
  })

  it("RPL-26: buys the offer that it was signed for after a change of the price", async () => {
    const before = await open()
    const purchase = await prepare(before)
    await settle(purchase)
    await before.close()
    const after = await open({ offers: [offer("hour", "movies:read", "0.02")] })
    expect(await postToken(after.url, retryHeaders(purchase))).toMatchObject({
      status: 200,
      body: { scope: "movies:read" },
    })
    await after.close()
  })

  it("RPL-26, RPL-04: survives a kill between the evidence and the commit, and is redeemed once", async () => {
    const service = await open()
    const purchase = await prepare(service)
    const { config: own } = service
    await service.close()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const killed = await spawnService({ config: own, port, killAt: { step: "payment-checked", count: 1 } })
    await settle(purchase)
    await expect(postToken(url, retryHeaders(purchase))).rejects.toThrow("fetch failed")
    expect(await killed.ended).toBe("SIGKILL")
    expect(await kinds()).toEqual([])
    const restarted = await spawnService({ config: own, port })
    const first = await postToken(url, retryHeaders(purchase))
    const second = await postToken(url, retryHeaders(purchase))
    await restarted.kill("SIGTERM")
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.body.grant.id).toBe(first.body.grant.id)
    // The restart found the payment on the chain before the buyer came back.
    expect(await kinds()).toEqual(["imported", "ended", "claimed"])
  })
})
