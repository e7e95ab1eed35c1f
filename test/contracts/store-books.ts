/** Contract suite for the store's books: audit, catch-up and imported payments. */
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { auditBooks } from "../../server/books/audit.ts"
import { importedPayment } from "../../server/core/imported.ts"
import type { Store } from "../../server/ports/store.ts"
import { networks } from "../../shared/networks/index.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { Address } from "../../shared/values/evm.ts"
import {
  evidenceOf,
  network,
  orderOf,
  preparation,
  randomAddress,
  randomHex,
  relayer,
  start,
} from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

const info = networks.get(network)!
const usdc = info.assets[0]!
const asset = usdc.address.toLowerCase() as Address

/** An order whose redemption key is derived from its payment. */
function saleOf(): ReturnType<typeof orderOf> {
  const order = orderOf({ asset })
  return { ...order, key: exactEip3009.redemptionKey(info.chainId, asset, order.transfer) }
}

function found(changes: { evidence?: ReturnType<typeof evidenceOf>; nonce?: `0x${string}` } = {}) {
  const { evidence = evidenceOf(), nonce = randomHex(32) } = changes
  const payment = {
    payer: randomAddress(),
    payTo: `0x${"bb".repeat(20)}` as const,
    value: 10_000n,
    nonce,
    logIndex: evidence.logIndex,
  }
  return importedPayment({
    network: info,
    scheme: exactEip3009,
    asset: usdc,
    payment,
    evidence,
    grantId: randomHex(16),
    now: start,
  })
}

export function booksContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the books of the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.cleanup())

    const catchUp = (changes: Partial<Parameters<Store["catchUp"]>[0]> = {}) =>
      store.catchUp({ network, since: 5n, done: 10n, nonces: [], payments: [], now: start, ...changes })

    it("keep every invariant through a sale, a settlement, a failure and an end", async () => {
      const [paid, failed, waiting] = [saleOf(), saleOf(), saleOf()]
      for (const order of [paid, failed, waiting]) await store.redeem(order)
      const lease = await store.lease({ holder: "worker", seconds: 30, now: start })
      const fence = lease?.fence ?? 0
      const { nonce } = await store.nextNonce({ fence, network, relayer, chainNonce: 0 })
      const { id } = await store.prepare({ fence, nonce, ...preparation([paid.key, failed.key]) })
      expect(await auditBooks(store)).toEqual([])
      await store.conclude({
        fence,
        done: id,
        moves: [
          { key: paid.key, move: { to: "paid", evidence: evidenceOf() } },
          { key: failed.key, move: { to: "failed", failure: "expired", dueAt: null } },
        ],
        now: start,
      })
      expect(await auditBooks(store)).toEqual([])
      const rows = await store.books({ after: "", limit: 10 })
      expect(rows.map(({ grant }) => grant.id)).toEqual(
        [paid, failed, waiting].map(({ grant }) => grant.id).sort(),
      )
      const row = rows.find(({ redemption }) => redemption?.key === failed.key)
      expect(row).toMatchObject({ entries: { redeemed: 1, failed: 1, ended: 1 }, ride: null })
      expect(await store.exposure()).toMatchObject({
        unsettled: 10_000n,
        queued: 1,
        open: [{ redemption: { key: waiting.key } }],
      })
      expect(await store.doubles()).toEqual({ keys: [], transfers: [], nonces: [], unsigned: [] })
    })

    it("return each grant once across pages", async () => {
      for (let count = 0; count < 7; count++) await store.redeem(saleOf())
      const ids: string[] = []
      for (let page = await store.books({ after: "", limit: 3 }); page.length > 0; ) {
        ids.push(...page.map(({ grant }) => grant.id))
        page = await store.books({ after: ids.at(-1) ?? "", limit: 3 })
      }
      expect(new Set(ids).size).toBe(7)
      expect(ids).toEqual([...ids].sort())
    })

    it("I8: report an open payment whose transaction is marked done", async () => {
      const order = saleOf()
      await store.redeem(order)
      const fence = (await store.lease({ holder: "worker", seconds: 30, now: start }))?.fence ?? 0
      const { nonce } = await store.nextNonce({ fence, network, relayer, chainNonce: 0 })
      const { id } = await store.prepare({ fence, nonce, ...preparation([order.key]) })
      await store.conclude({ fence, done: id, moves: [], now: start })
      expect(await auditBooks(store)).toEqual([
        { invariant: "I8", what: "it is open, and nobody will pick it up", row: order.key },
      ])
    })

    it("KEY-09: import a found payment once, as paid and ended", async () => {
      const payment = found()
      const { key } = payment.redemption
      expect(await catchUp({ payments: [payment, payment] })).toEqual({ imported: [key], late: [] })
      expect(await catchUp({ payments: [payment] })).toEqual({ imported: [], late: [] })
      expect(await store.recall({ key })).toEqual(payment)
      const entries = await store.entries({ after: 0, limit: 10 })
      expect(entries.map((entry) => entry.kind)).toEqual(["imported", "ended"])
      expect(entries[0]?.facts).toMatchObject({
        value: "10000",
        payer: payment.redemption.transfer.payer,
        transaction: payment.redemption.evidence?.transactionHash,
      })
      expect(await store.redeem(orderOf({ key }))).toMatchObject({ kind: "repeated" })
      expect(await store.exposure()).toEqual({ unsettled: 0n, queued: 0, lost: 0n, losses: [], open: [] })
      expect(await auditBooks(store)).toEqual([])
    })

    it("do not import a known payment, nor one Transfer for two payments", async () => {
      const order = saleOf()
      await store.redeem(order)
      const { transfer } = order
      const known = found({ nonce: transfer.nonce })
      const same = { ...known, redemption: { ...known.redemption, key: order.key } }
      expect(await catchUp({ payments: [same] })).toEqual({ imported: [], late: [] })
      expect((await store.recall({ key: order.key }))?.redemption.state).toBe("accepted")
      const evidence = evidenceOf()
      const first = found({ evidence })
      expect(await catchUp({ payments: [first, found({ evidence })] })).toEqual({
        imported: [first.redemption.key],
        late: [],
      })
      const { transactionHash, logIndex } = evidence
      const other = { transactionHash, logIndex: logIndex + 1 }
      expect(await store.unbooked({ network, transfers: [{ transactionHash, logIndex }, other] })).toEqual([
        other,
      ])
    })

    it("store the highest complete block and nonce, also across a reopen", async () => {
      expect(await store.progress({ network })).toEqual({ blocks: null, nonces: [] })
      await catchUp({ nonces: [{ relayer, next: 3 }] })
      await catchUp({ since: 2n, done: 8n, nonces: [{ relayer, next: 1 }] })
      const there = { blocks: { since: 5n, done: 10n }, nonces: [{ relayer, next: 3 }] }
      expect(await store.progress({ network })).toEqual(there)
      expect(await store.progress({ network: "eip155:1" })).toEqual({ blocks: null, nonces: [] })
      expect(await (await opened.reopen()).progress({ network })).toEqual(there)
    })
  })
}
