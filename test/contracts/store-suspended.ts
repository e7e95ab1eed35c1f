/** Contract suite for suspended payments, and for money that comes after a failure. */
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { importedPayment } from "../../server/core/imported.ts"
import { judgeExposure } from "../../server/core/invariants.ts"
import type { Move } from "../../server/core/redemption.ts"
import type { Store } from "../../server/ports/store.ts"
import { networks } from "../../shared/networks/index.ts"
import { createRevocationSet } from "../../shared/oauth/revocation.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import {
  evidenceOf,
  network,
  type OrderChanges,
  orderOf,
  preparation,
  randomAddress,
  relayer,
  start,
  topUpOf,
} from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

export function suspendedContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`suspended payments in the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    let fence: number
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      fence = (await store.lease({ holder: "test", seconds: 100_000, now: start }))?.fence ?? 0
    })
    afterEach(() => opened.cleanup())

    const move = (key: string, to: Move, now = start) =>
      store.conclude({ fence, moves: [{ key, move: to }], now })
    const suspend = (key: string, now = start) =>
      move(key, { to: "suspended", failure: "refused_by_asset", dueAt: now + 1 }, now)
    const pay = (key: string, now = start) => move(key, { to: "paid", evidence: evidenceOf() }, now)
    const fail = (key: string, now = start) =>
      move(key, { to: "failed", failure: "expired", dueAt: null }, now)
    async function sell(changes: OrderChanges = {}) {
      const order = orderOf(changes)
      const outcome = await store.redeem(order)
      if (outcome.kind !== "redeemed") throw new Error(outcome.kind)
      return { key: order.key, grantId: order.grant.id, policy: outcome.redemption.policy, order }
    }
    const rowOf = async (key: string) => (await store.recall({ key }))!
    const kinds = async () => (await store.entries({ after: 0, limit: 1000 })).map(({ kind }) => kind)
    const reasonFor = async (grant: string, now = start, parent?: string) => {
      const set = createRevocationSet()
      const news = await store.revocations({ cursor: 0, limit: 1000, now })
      set.add(news.map(({ revocation }) => revocation))
      const claims = { grant, iat: now, jti: "j", offer: "hour@00000000", granted_at: start }
      return set.reasonFor(parent === undefined ? claims : { ...claims, parent })
    }
    const refresh = async (grantId: string, generation = 0, now = start) => {
      const outcome = await store.rotate({
        grantId,
        generation,
        opening: null,
        keyThumbprint: null,
        resources: ["https://shop.test"],
        peer: "peer",
        jti: `jti-${now}`,
        now,
        lives: { full: 300, pending: 60 },
      })
      return outcome?.decision.kind === "refused" ? outcome.decision.reason : outcome?.decision.kind
    }
    const counters = async () => {
      const exposure = await store.exposure()
      expect(judgeExposure(exposure)).toEqual([])
      const { unsettled, lost, queued } = exposure
      return { unsettled, lost, queued }
    }

    it("stop their grant without ending it, and resume it with its time", async () => {
      const { key, grantId } = await sell()
      const { expiresAt } = (await rowOf(key)).grant
      await suspend(key, start + 10)
      expect((await rowOf(key)).grant.ended).toBeNull()
      expect(await reasonFor(grantId)).toBe("suspended")
      expect(await reasonFor("child", start, grantId)).toBe("suspended")
      expect(await refresh(grantId)).toBe("settlement_delayed")
      store = await opened.reopen()
      expect(await reasonFor(grantId)).toBe("suspended")
      await pay(key, start + 40)
      expect(await rowOf(key)).toMatchObject({
        redemption: { state: "paid", failure: null },
        grant: { ended: null, expiresAt: expiresAt + 30 },
      })
      expect(await reasonFor(grantId)).toBeUndefined()
      expect(await reasonFor("child", start, grantId)).toBeUndefined()
      expect(await refresh(grantId)).toBe("rotated")
      expect(await kinds()).toEqual(["redeemed", "suspended", "settled", "resumed"])
    })

    it("derive no further token", async () => {
      const { key, grantId } = await sell()
      await suspend(key)
      const outcome = await store.derive({
        grantId,
        shown: null,
        generation: 0,
        shownUntil: null,
        resources: ["https://shop.test"],
        keyThumbprint: null,
        id: "child",
        jti: "child-jti",
        scope: null,
        units: null,
        lifeSeconds: 60,
        boundTo: null,
        now: start,
      })
      expect(outcome?.decision).toEqual({ kind: "refused", reason: "settlement_delayed" })
    })

    it("count as lost at once and until they are paid, however often they are seen", async () => {
      const { key } = await sell()
      expect(await counters()).toEqual({ unsettled: 10_000n, lost: 0n, queued: 1 })
      await suspend(key)
      const suspended = { unsettled: 0n, lost: 10_000n, queued: 0 }
      expect(await counters()).toEqual(suspended)
      await suspend(key, start + 1)
      await suspend(key, start + 90_000)
      // A new day forgets losses, but not that of a payment without a verdict.
      await sell({ policy: "first", now: start + 90_000 })
      expect(await counters()).toEqual({ ...suspended, queued: 1 })
      await pay(key, start + 90_001)
      expect(await counters()).toEqual({ unsettled: 0n, lost: 0n, queued: 1 })
    })

    it("make their payer pay first until the money is in", async () => {
      const payer = randomAddress()
      const { key } = await sell({ payer })
      await suspend(key)
      expect((await sell({ payer })).policy).toBe("first")
      expect((await sell()).policy).toBe("background")
      await pay(key)
      expect((await sell({ payer })).policy).toBe("background")
    })

    it("end their grant when they fail, and stay a loss", async () => {
      const { key, grantId } = await sell()
      await suspend(key)
      await fail(key)
      expect(await reasonFor(grantId)).toBe("settlement_failed")
      expect(await refresh(grantId)).toBe("settlement_failed")
      expect(await counters()).toEqual({ unsettled: 0n, lost: 10_000n, queued: 0 })
      expect(await kinds()).toEqual(["redeemed", "suspended", "failed", "ended"])
    })

    it("are listed apart from due payments, the one that waits longest first", async () => {
      const [a, b, fresh] = [await sell(), await sell(), await sell()]
      await move(a.key, { to: "suspended", failure: null, dueAt: start + 9 })
      await move(b.key, { to: "suspended", failure: null, dueAt: start + 5 })
      const at = { fence, network, now: start + 9, limit: 9 }
      const keysOf = (rows: readonly { readonly key: string }[]) => rows.map(({ key }) => key)
      expect(keysOf(await store.due(at))).toEqual([fresh.key])
      expect(keysOf(await store.suspended(at))).toEqual([b.key, a.key])
      expect(keysOf(await store.suspended({ ...at, limit: 1 }))).toEqual([b.key])
      expect(await store.suspendedCount()).toBe(2)
      expect(keysOf(await store.suspended({ ...at, now: start + 4 }))).toEqual([])
    })

    it("ride in one transaction at a time, and stay suspended until it pays", async () => {
      const { key, grantId } = await sell()
      await suspend(key)
      const ride = async () => {
        const { nonce } = await store.nextNonce({ fence, network, relayer, chainNonce: 0 })
        return store.prepare({ fence, nonce, ...preparation([key]) })
      }
      const { id } = await ride()
      expect((await rowOf(key)).redemption).toMatchObject({
        state: "suspended",
        dueAt: null,
        transactionId: id,
      })
      expect(await store.suspended({ fence, network, now: start + 999, limit: 9 })).toEqual([])
      expect(await reasonFor(grantId)).toBe("suspended")
      await expect(ride()).rejects.toThrow("a redemption in state suspended cannot be sent")
      await suspend(key)
      expect((await rowOf(key)).redemption).toMatchObject({
        attempts: 1,
        dueAt: start + 1,
        transactionId: null,
      })
      await expect(move(key, { to: "mined", evidence: evidenceOf() })).rejects.toThrow(
        "cannot go from suspended",
      )
    })

    it("that topped a grant up stop it, and are taken back when they fail", async () => {
      const { key, grantId } = await sell()
      await pay(key)
      const bought = topUpOf(grantId)
      expect(await store.topUp(bought)).toMatchObject({ kind: "redeemed" })
      const { expiresAt } = (await rowOf(key)).grant
      await suspend(bought.key)
      expect(await reasonFor(grantId, start + 2)).toBe("suspended")
      expect(await refresh(grantId)).toBe("settlement_delayed")
      expect(await store.topUp(topUpOf(grantId))).toEqual({ kind: "refused", reason: "top_up_pending" })
      await fail(bought.key, start + 20)
      expect((await rowOf(key)).grant).toMatchObject({ ended: null, expiresAt: expiresAt - 3600 + 20 })
      expect(await reasonFor(grantId, start + 30)).toBeUndefined()
      expect((await kinds()).slice(-4)).toEqual(["suspended", "failed", "taken_back", "resumed"])
    })

    it("of a top-up that is settled first stop nothing", async () => {
      const { key, grantId } = await sell()
      await pay(key)
      const bought = topUpOf(grantId, { policy: "first" })
      await store.topUp(bought)
      await suspend(bought.key)
      expect(await reasonFor(grantId)).toBeUndefined()
      expect(await refresh(grantId)).toBe("rotated")
    })

    it("are no reason to revive a grant that its holder revoked", async () => {
      const { key, grantId } = await sell()
      await suspend(key)
      const target = { kind: "grant", grantId } as const
      await store.revoke({ target, by: "holder", note: null, now: start })
      await pay(key)
      expect(await reasonFor(grantId)).toBe("revoked")
      expect((await kinds()).slice(-2)).toEqual(["ended", "settled"])
    })
  })

  describe(`money that comes after a failure in the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    let fence: number
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      fence = (await store.lease({ holder: "test", seconds: 100_000, now: start }))?.fence ?? 0
    })
    afterEach(() => opened.cleanup())

    async function sellAndFail() {
      const order = orderOf()
      await store.redeem(order)
      const failed = { to: "failed", failure: "expired", dueAt: null } as const
      await store.conclude({ fence, moves: [{ key: order.key, move: failed }], now: start })
      return { ...order, grantId: order.grant.id }
    }
    const kinds = async () => (await store.entries({ after: 0, limit: 1000 })).map(({ kind }) => kind)
    const pay = (key: string, now: number) =>
      store.conclude({ fence, moves: [{ key, move: { to: "paid", evidence: evidenceOf() } }], now })

    it("resumes the grant, which may end again", async () => {
      const { key, grantId } = await sellAndFail()
      await pay(key, start + 60)
      expect((await store.recall({ key }))?.grant).toMatchObject({ ended: null, expiresAt: start + 3660 })
      const news = await store.revocations({ cursor: 0, limit: 9, now: start })
      expect(news.map(({ revocation }) => revocation.kind)).toEqual(["grant", "resumed"])
      await store.revoke({ target: { kind: "grant", grantId }, by: "operator", note: null, now: start + 61 })
      expect(await kinds()).toEqual(["redeemed", "failed", "ended", "settled", "resumed", "ended"])
    })

    it("is owed to the buyer when the grant had ended for another reason", async () => {
      const order = orderOf()
      await store.redeem(order)
      const target = { kind: "grant", grantId: order.grant.id } as const
      await store.revoke({ target, by: "operator", note: null, now: start })
      const failed = { to: "failed", failure: "expired", dueAt: null } as const
      await store.conclude({ fence, moves: [{ key: order.key, move: failed }], now: start })
      await pay(order.key, start + 60)
      expect((await kinds()).slice(-2)).toEqual(["settled", "owed"])
      expect((await store.recall({ key: order.key }))?.grant.ended?.reason).toBe("revoked")
    })

    it("is booked by the comparison with the chain, once, for the same transfer only", async () => {
      const info = networks.get(network)!
      const { key, transfer } = await sellAndFail()
      const foundOf = (value: bigint) => {
        const payment = { ...transfer, value, logIndex: 1 }
        const evidence = evidenceOf()
        const terms = { network: info, scheme: exactEip3009, asset: info.assets[0]!, payment, evidence }
        const found = importedPayment({ ...terms, grantId: "unused", now: start })
        return { ...found, redemption: { ...found.redemption, key } }
      }
      const catchUp = (payments: readonly ReturnType<typeof foundOf>[]) =>
        store.catchUp({ network, since: 5n, done: 10n, nonces: [], payments, now: start + 9 })
      expect(await catchUp([foundOf(transfer.value - 1n)])).toEqual({ imported: [], late: [] })
      const found = foundOf(transfer.value)
      expect(await catchUp([found, found])).toEqual({ imported: [], late: [key] })
      const known = await store.recall({ key })
      expect(known).toMatchObject({
        redemption: { state: "paid", failure: "expired" },
        grant: { ended: null },
      })
      expect(await kinds()).toEqual(["redeemed", "failed", "ended", "settled", "resumed"])
    })
  })
}
