import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { encodeDeployData } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClient } from "../../client/index.ts"
import { openStore } from "../../server/stores/index.ts"
import { domainOf } from "../../shared/networks/network.ts"
import { sepolia } from "../../shared/networks/sepolia.ts"
import { secretHeader } from "../../shared/oauth/messages.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { TransferTerms } from "../../shared/schemes/scheme.ts"
import { decodeHeader, encodeHeader } from "../../shared/values/codec.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { openingOf } from "../../shared/x402/commitment.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { testWallet } from "../support/contracts/artifacts/test-wallet.ts"
import { checkInvariants, checkLedger } from "../support/invariants.ts"
import { sepoliaId } from "../support/offers.ts"
import { type Account, randomAccount, randomHex32 } from "../support/payments.ts"
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import {
  eventually,
  offer,
  openService,
  type Purchase,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  submitByStranger,
  type TestService,
  watch,
} from "../support/service.ts"
import { spawnSecond } from "../support/spawn-service.ts"

const price = 10_000n
const daySeconds = 86_400

let chain: LocalChain
let first: RpcProxy
let second: RpcProxy
let service: TestService
let ahead = 0
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  first = await startRpcProxy(chain.rpcUrl)
  second = await startRpcProxy(chain.rpcUrl)
  service = await openService({
    chain,
    config: {
      networks: { [sepoliaId]: { rpcUrls: [first.url, second.url] } },
      offers: [
        { ...offer("day", "movies:read", "0.01"), durationSeconds: daySeconds },
        { ...offer("counted", "movies:write", "0.02"), calls: 5 },
      ],
      limits: { agreementAbove: "0.009", requestsPerPeer: 1_000_000, requestsPerPayer: 1_000_000 },
    },
    issuer: { now: () => Math.floor(Date.now() / 1000) + ahead },
  })
})
afterAll(async () => {
  await service.close()
  await first.close()
  await second.close()
  await chain.stop()
})

const database = () => join(service.folder, "ticket402.db")
const settle = (transfer: Parameters<typeof exactEip3009.settlementCall>[1]): Promise<Hex> =>
  submitByStranger(chain, exactEip3009.settlementCall(chain.asset, transfer).data)

/** A payment that a stranger settles before it comes. */
async function settledPurchase(account?: Account): Promise<Purchase & { readonly transaction: Hex }> {
  const purchase = await preparePurchase(service, account ?? (await service.customer(price)))
  return { ...purchase, transaction: await settle(purchase.transfer) }
}
const kindsOf = ({ transfer }: Purchase): unknown[] => {
  const db = new Sqlite(database(), { readonly: true })
  const kinds = db
    .prepare("SELECT kind FROM entries WHERE redemption_key LIKE ? ORDER BY sequence")
    .pluck()
    .all(`%${transfer.nonce}`)
  db.close()
  return kinds
}
const timeOf = async (transaction: Hex): Promise<number> => {
  const { blockHash } = (await chain.request("eth_getTransactionReceipt", [transaction])) as {
    blockHash: Hex
  }
  const { timestamp } = (await chain.request("eth_getBlockByHash", [blockHash, false])) as { timestamp: Hex }
  return Number(timestamp)
}
const onChain = { status: 400, body: { reason: "payment_on_chain", next: { action: "retry" } } }
const used = { status: 400, body: { reason: "authorization_used", next: { action: "stop" } } }

describe("a payment that a stranger settles before it comes", () => {
  it("RPL-26: gives the client its grant, and is charged once", async () => {
    const account = await service.customer(2n * price)
    let settledAt: Hex | undefined
    const client = createClient({
      account,
      budget: { perPurchase: "0.01", perDay: "0.02" },
      networks: [sepoliaId],
      async fetch(input, init) {
        const header = new Headers(init?.headers).get(paymentSignatureHeader)
        if (header !== null && settledAt === undefined) {
          const { payload } = decodeHeader(header) as { payload: unknown }
          settledAt = await settle(exactEip3009.parse(payload))
        }
        return fetch(input, init)
      },
    })
    expect((await client.fetch(`${service.url}/movies/1`)).status).toBe(200)
    const [held] = await client.grants()
    expect(held).toMatchObject({ expiresAt: (await timeOf(settledAt ?? "0x")) + daySeconds })
    expect((await client.fetch(`${service.url}/movies/2`)).status).toBe(200)
    expect(await service.balanceOf(account.address)).toBe(price)
  })

  it("RPL-26: is asked for with its secret, and then booked as paid, never as unsettled", async () => {
    const purchase = await settledPurchase()
    expect(await postToken(service.url, purchase.headers)).toMatchObject(onChain)
    const claimed = await postToken(service.url, retryHeaders(purchase))
    expect(claimed).toMatchObject({
      status: 200,
      body: {
        grant: {
          expires_at: (await timeOf(purchase.transaction)) + daySeconds,
          settlement: { state: "settled", transaction: purchase.transaction },
        },
      },
    })
    expect(kindsOf(purchase)).toEqual(["imported", "claimed"])
    expect((await watch(service.url, claimed.body.access_token)).status).toBe(200)
    expect((await refresh(service.url, claimed.body.refresh_token)).status).toBe(200)
    const receipt = await fetch(`${service.url}/token/receipt`, {
      headers: { [secretHeader]: purchase.secret },
    })
    expect(receipt.status).toBe(200)
    expect(await checkInvariants(database(), chain, service.payTo.address)).toMatchObject({
      broken: [],
      open: 0,
    })
    const store = await openStore(`sqlite:${database()}`)
    expect(await store.exposure()).toMatchObject({ unsettled: 0n, queued: 0, lost: 0n })
    await store.close()
  })

  it("RPL-26, MI-01: is redeemed once by 50 posts to two processes", async () => {
    const other = await spawnSecond(service.config)
    try {
      const purchase = await settledPurchase()
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, at) =>
          postToken(at % 2 === 0 ? service.url : other.url, retryHeaders(purchase)),
        ),
      )
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      const firsts = answers.filter(({ headers }) => headers.get("idempotent-replayed") === null)
      expect(firsts).toHaveLength(1)
      expect(new Set(answers.map(({ body }) => body.grant.id)).size).toBe(1)
      expect(kindsOf(purchase)).toEqual(["imported", "claimed"])
    } finally {
      await other.kill("SIGTERM")
    }
  })

  it("RPL-27: gives a stranger without the secret nothing", async () => {
    const purchase = await settledPurchase()
    const copied = { [paymentSignatureHeader]: encodeHeader(purchase.payload) }
    const own = randomHex32()
    expect(await postToken(service.url, copied)).toMatchObject(used)
    expect(await postToken(service.url, purchase.headers)).toMatchObject(onChain)
    for (const secret of [own, openingOf(own)])
      expect(await postToken(service.url, { ...copied, [secretHeader]: secret })).toMatchObject({
        status: 400,
        body: { reason: "commitment_mismatch" },
      })
    const key = { "Idempotency-Key": `key-${randomHex32()}` }
    expect(await postToken(service.url, { ...copied, ...key })).toMatchObject(used)
    expect(kindsOf(purchase)).toEqual([])
    expect((await postToken(service.url, retryHeaders(purchase))).status).toBe(200)
    expect((await postToken(service.url, copied)).status).toBe(409)
  })

  it.each<[string, Partial<TransferTerms>]>([
    ["a lower amount", { value: price - 1n }],
    ["another recipient", { payTo: randomAccount().address.toLowerCase() as Hex }],
  ])("RPL-27: buys nothing when its nonce moved %s", async (_, change) => {
    const account = await service.customer(price)
    const purchase = await preparePurchase(service, account)
    const { signature: _signature, ...terms } = { ...purchase.transfer, ...change }
    const domain = domainOf(sepolia, sepolia.assets[0])
    await settle({ ...terms, signature: await exactEip3009.sign(terms, domain, account) })
    expect(await postToken(service.url, retryHeaders(purchase))).toMatchObject(used)
    expect(kindsOf(purchase)).toEqual([])
  })

  it("SET-29: waits while a node shows a transfer that another node does not have", async () => {
    const account = await service.customer(price)
    const purchase = await preparePurchase(service, account)
    const away = { ...purchase.transfer, payTo: randomAccount().address.toLowerCase() as Hex }
    const domain = domainOf(sepolia, sepolia.assets[0])
    await settle({ ...away, signature: await exactEip3009.sign(away, domain, account) })
    const topicOf = (address: string) => `0x${address.slice(2).toLowerCase().padStart(64, "0")}`
    first.fault = {
      kind: "lie",
      method: "eth_getTransactionReceipt",
      change: (result) =>
        JSON.parse(JSON.stringify(result).replaceAll(topicOf(away.payTo), topicOf(service.payTo.address))),
    }
    try {
      expect(await postToken(service.url, retryHeaders(purchase))).toMatchObject({
        status: 503,
        body: { reason: "chain_unavailable", next: { action: "retry" } },
      })
    } finally {
      first.fault = undefined
    }
    expect(kindsOf(purchase)).toEqual([])
    expect(await postToken(service.url, retryHeaders(purchase))).toMatchObject(used)
  })

  it("RPL-26: is accepted until an hour after its end, and its time runs from the transfer", async () => {
    const [late, tooLate] = [await settledPurchase(), await settledPurchase()]
    try {
      ahead = 600 + 3600 - 60
      const { status, body } = await postToken(service.url, retryHeaders(late))
      expect(status).toBe(200)
      expect(body.grant.expires_at).toBe((await timeOf(late.transaction)) + daySeconds)
      ahead = 600 + 3600 + 60
      expect(await postToken(service.url, retryHeaders(tooLate))).toMatchObject({
        status: 400,
        body: { reason: "validity_too_short" },
      })
    } finally {
      ahead = 0
    }
  })

  it("RPL-26: is accepted from a wallet contract, whose signature nobody can check any more", async () => {
    const [owner, address] = [randomAccount(), randomAccount().address.toLowerCase() as Hex]
    const code = await chain.request("eth_call", [{ data: encodeDeployData(testWallet) }, "latest"])
    await chain.request("anvil_setCode", [address, code])
    const word = `0x${owner.address.slice(2).toLowerCase().padStart(64, "0")}`
    await chain.request("anvil_setStorageAt", [address, `0x${"0".repeat(64)}`, word])
    await chain.mint(address, price)
    const purchase = await preparePurchase(service, owner, { terms: { payer: address } })
    await settle(purchase.transfer)
    expect((await postToken(service.url, retryHeaders(purchase))).status).toBe(200)
  })

  it("SET-47: is sent by the service when a reorg removes its transfer", async () => {
    const purchase = await settledPurchase()
    expect((await postToken(service.url, retryHeaders(purchase))).status).toBe(200)
    const before = await service.balanceOf(service.payTo.address)
    await chain.request("anvil_reorg", [1, []])
    await chain.request("anvil_dropTransaction", [purchase.transaction])
    expect(await service.balanceOf(service.payTo.address)).toBe(before - price)
    const { body } = await eventually(
      () => postToken(service.url, retryHeaders(purchase)),
      (answer) => {
        const { settlement } = answer.body.grant
        return settlement.state === "settled" && settlement.transaction !== purchase.transaction
      },
      40,
    )
    expect(body.grant.settlement.transaction).not.toBe(purchase.transaction)
    expect(await service.balanceOf(service.payTo.address)).toBe(before)
    expect(kindsOf(purchase)).toEqual(["imported", "claimed", "reopened", "settled"])
    expect(await checkLedger(database())).toEqual([])
  }, 60_000)
})
