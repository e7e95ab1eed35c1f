/** Contract suite for payments that were on the chain before they came. */
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { auditBooks } from "../../server/books/audit.ts"
import { importedPayment } from "../../server/core/imported.ts"
import { openMeter } from "../../server/core/units.ts"
import type { ClaimOrder, Redeemed } from "../../server/ports/records.ts"
import type { Store } from "../../server/ports/store.ts"
import { sepolia } from "../../shared/networks/sepolia.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { Address } from "../../shared/values/evm.ts"
import { evidenceOf, orderOf, randomHex, start } from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

const network = sepolia.id
const asset = sepolia.assets[0].address.toLowerCase() as Address

const claimOf = (changes: Partial<ClaimOrder> = {}): ClaimOrder => {
  const { grant, transfer, nominal, now, scheme } = orderOf()
  const key = exactEip3009.redemptionKey(sepolia.chainId, asset, transfer)
  const evidence = evidenceOf()
  return { key, network, scheme, asset, transfer, nominal, grant, now, payerCode: null, evidence, ...changes }
}
const importOf = ({ transfer, evidence }: ClaimOrder): Redeemed =>
  importedPayment({
    network: sepolia,
    scheme: exactEip3009,
    asset: sepolia.assets[0],
    payment: { ...transfer, logIndex: evidence.logIndex },
    evidence,
    grantId: randomHex(16),
    now: start,
  })

export function claimContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`claims in the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.cleanup())

    const kinds = async () => (await store.entries({ after: 0, limit: 99 })).map(({ kind }) => kind)
    const takeIn = (order: ClaimOrder) =>
      store.catchUp({ network, since: 0n, done: 200n, nonces: [], payments: [importOf(order)], now: start })

    it("RPL-26: book a payment once among 50 concurrent claims, and count it as paid", async () => {
      const order = claimOf()
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, () =>
          store.claim({ ...order, grant: { ...order.grant, id: randomHex(16) } }),
        ),
      )
      const first = outcomes.filter(({ kind }) => kind === "redeemed")
      expect(first).toHaveLength(1)
      expect(first[0]).toMatchObject({
        redemption: { state: "paid", policy: "first", evidence: order.evidence },
      })
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ grant: { id: (first[0] as Redeemed).grant.id } })
      expect(await kinds()).toEqual(["imported", "claimed"])
      expect(await store.exposure()).toMatchObject({ unsettled: 0n, queued: 0, lost: 0n })
      expect(await auditBooks(store)).toEqual([])
    })

    it("RPL-26: give an imported payment to the opener once, with a grant that can end", async () => {
      const order = claimOf()
      await takeIn(order)
      expect(await store.claim(order)).toMatchObject({ kind: "redeemed", grant: { id: order.grant.id } })
      expect((await store.claim({ ...order, grant: { ...order.grant, id: randomHex(16) } })).kind).toBe(
        "repeated",
      )
      expect((await store.recall({ key: order.key }))?.redemption.transfer).toEqual(order.transfer)
      expect(await store.findGrant({ by: "opening", value: order.grant.opening ?? "0x" })).toMatchObject({
        grant: { ended: null },
        redemption: { key: order.key, state: "paid" },
      })
      await takeIn(order)
      const target = { kind: "grant", grantId: order.grant.id } as const
      expect(await store.revoke({ target, by: "operator", note: null, now: start })).toEqual({ revoked: 1 })
      expect(await kinds()).toEqual(["imported", "ended", "claimed", "ended"])
      expect(await auditBooks(store)).toEqual([])
    })

    it("RPL-26: refuse an imported payment of another amount or recipient", async () => {
      const order = claimOf()
      await takeIn(order)
      for (const change of [{ value: 9_999n }, { payTo: randomHex(20) }])
        expect(await store.claim({ ...order, transfer: { ...order.transfer, ...change } })).toEqual({
          kind: "refused",
          reason: "authorization_conflict",
        })
      expect(await kinds()).toEqual(["imported", "ended"])
    })

    it("RPL-27: refuse a transfer that pays for another payment", async () => {
      const order = claimOf()
      expect((await store.claim(order)).kind).toBe("redeemed")
      expect(await store.claim(claimOf({ evidence: order.evidence }))).toEqual({
        kind: "refused",
        reason: "authorization_conflict",
      })
      expect(await kinds()).toEqual(["imported", "claimed"])
    })

    it("TOK-30: give the owner one new grant in place of one that a reused refresh token ended", async () => {
      const { transfer, asset: sold } = orderOf()
      const key = exactEip3009.redemptionKey(84532, sold, transfer)
      const order = orderOf({ key, payer: transfer.payer, transfer, grant: { meter: openMeter(10) } })
      await store.redeem(order)
      const lives = { full: 300, pending: 60 }
      const now = start + 100
      const slice = { grantId: order.grant.id, holder: "gate", cost: 1, wanted: 1, reports: [], now: start }
      expect((await store.takeUnits(slice)).slice?.units).toBe(2)
      const recover = (id: string) => store.recover({ key: order.key, id, jti: id, now, lives })
      expect(await recover("early")).toMatchObject({ grant: { id: order.grant.id } })
      const rotation = { opening: null, keyThumbprint: null, resources: [], peer: "peer", now, lives }
      const rotate = (generation: number) =>
        store.rotate({ grantId: order.grant.id, generation, jti: randomHex(8), ...rotation })
      for (const generation of [0, 1, 0]) await rotate(generation)
      const recovered = await Promise.all([recover("first"), recover("second")])
      expect(recovered).toMatchObject([
        { grant: { id: "first", ended: null, expiresAt: order.grant.expiresAt, meter: { left: 8 } } },
        { grant: { id: "first" } },
      ])
      expect(await rotate(0)).toMatchObject({ decision: { reason: "refresh_token_reused" } })
      expect(await kinds()).toEqual(["redeemed", "ended", "recovered"])
      expect(await auditBooks(store)).toEqual([])
    })
  })
}
