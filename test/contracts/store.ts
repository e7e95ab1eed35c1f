/** Contract suite that every store implementation must pass. */
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Offer } from "../../server/core/offers.ts"
import type { RelayTransaction } from "../../server/ports/records.ts"
import { Fenced, type Store, StoreUnavailable } from "../../server/ports/store.ts"
import {
  asset,
  evidenceOf,
  network,
  orderOf,
  preparation,
  randomAddress,
  randomHex,
  relayer,
  start,
  versionOf,
} from "../support/orders.ts"

export type OpenedStore = {
  readonly store: Store
  /** Closes the store and opens it again, as a restart does. */
  reopen(): Promise<Store>
  cleanup(): Promise<void>
}

const lives = { full: 300, pending: 60 }

export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.cleanup())

    const lease = async (): Promise<number> => {
      const held = await store.lease({ holder: "worker", seconds: 30, now: start })
      if (!held) throw new Error("the lease is taken")
      return held.fence
    }
    const redeem = async (changes: Parameters<typeof orderOf>[0] = {}) => {
      const order = orderOf(changes)
      expect(await store.redeem(order)).toMatchObject({ kind: "redeemed" })
      return order
    }
    const send = async (fence: number, keys: readonly string[]): Promise<RelayTransaction> => {
      const { nonce } = await store.nextNonce({ fence, network, relayer, chainNonce: 0 })
      return store.prepare({ fence, nonce, ...preparation(keys) })
    }
    const stateOf = async (key: string) => (await store.recall({ key }))?.redemption
    const ledger = () => store.entries({ after: 0, limit: 10_000 })
    const kinds = async () => (await ledger()).map((entry) => entry.kind)

    describe("redeem", () => {
      it("redeems a payment once among 50 concurrent claims", async () => {
        const transfer = orderOf().transfer
        const claims = Array.from({ length: 50 }, () => orderOf({ payer: transfer.payer, transfer }))
        const outcomes = await Promise.all(claims.map((claim) => store.redeem(claim)))
        const redeemed = outcomes.filter((outcome) => outcome.kind === "redeemed")
        expect(redeemed).toHaveLength(1)
        for (const outcome of outcomes)
          expect("grant" in outcome && outcome.grant).toEqual(redeemed[0]?.grant)
        expect(await kinds()).toEqual(["redeemed"])
      })

      it("stores every field of an order and returns it unchanged", async () => {
        const value = 2n ** 200n + 1n
        const order = await redeem({
          transfer: { value, validBefore: 2n ** 255n },
          nominal: value,
          intake: { balance: value, payerCode: `0x${"c0".repeat(32)}` },
          limits: { perPayment: value, perPayer: value, total: value },
          grant: { idempotencyHash: "ab".repeat(32), opening: null },
        })
        expect(await store.recall({ key: order.key })).toEqual({
          redemption: {
            key: order.key,
            grantId: order.grant.id,
            network,
            scheme: "exact",
            asset,
            transfer: order.transfer,
            nominal: value,
            policy: "background",
            payerCode: order.intake.payerCode,
            state: "accepted",
            fromBlock: 100n,
            acceptedAt: start,
            dueAt: 0,
            attempts: 0,
            transactionId: null,
            evidence: null,
            failure: null,
            lastError: null,
            topUp: null,
          },
          grant: { ...order.grant, parent: null, generation: 0, rotation: null, ended: null },
        })
        expect(await ledger()).toEqual([
          {
            sequence: 1,
            at: start,
            kind: "redeemed",
            grantId: order.grant.id,
            redemptionKey: order.key,
            facts: {
              value: value.toString(),
              payer: order.transfer.payer,
              network,
              asset,
              offer: "hour@00000000",
              paid: "true",
              settle: "background",
            },
          },
        ])
      })

      it("returns the first result to a repeated claim and changes nothing", async () => {
        const order = await redeem()
        const before = await store.recall({ key: order.key })
        const again = orderOf({
          key: order.key,
          limits: { queue: 0, perPayer: 0n, total: 0n },
          intake: { balance: 0n },
        })
        expect(await store.redeem(again)).toEqual({ kind: "repeated", ...before })
        expect(await kinds()).toEqual(["redeemed"])
      })

      it("finds a grant by id, opening and idempotency key, the newest first", async () => {
        const grant = { opening: randomHex(32), idempotencyHash: "cd".repeat(32) }
        const { key, grant: sold } = await redeem({ grant })
        const found = await store.recall({ key })
        expect(await store.findGrant({ by: "id", value: sold.id })).toEqual(found)
        expect(await store.findGrant({ by: "opening", value: grant.opening })).toEqual(found)
        expect(await store.findGrant({ by: "idempotencyHash", value: grant.idempotencyHash })).toEqual(found)
        expect(await store.findGrant({ by: "opening", value: randomHex(32) })).toBeNull()
        const later = await redeem({ grant: { ...grant, startsAt: start + 90_000 }, now: start + 90_000 })
        const newest = await store.findGrant({ by: "idempotencyHash", value: grant.idempotencyHash })
        expect(newest?.grant.id).toBe(later.grant.id)
      })

      it("finds the transaction stored for a nonce, also once it is done", async () => {
        const fence = await lease()
        const transaction = await send(fence, [(await redeem()).key])
        const at = { fence, network, relayer, nonce: transaction.nonce }
        await store.conclude({ fence, done: transaction.id, moves: [], now: start })
        expect(await store.transactionAt(at)).toMatchObject({ id: transaction.id, state: "done" })
        expect(await store.transactionAt({ ...at, nonce: 999 })).toBeNull()
      })

      it("returns null for a key that was never claimed", async () => {
        expect(await store.recall({ key: "nobody's" })).toBeNull()
      })

      it("stores no signature of a free redemption and never settles it", async () => {
        const fence = await lease()
        const payer = randomAddress()
        const member = { id: payer, secretSha256: null, scope: "movies:read" }
        await store.addToWhitelist({ member, now: start })
        const order = await redeem({
          payer,
          settle: false,
          grant: { paid: false },
          intake: { balance: 0n },
          limits: { queue: 0, perPayer: 0n, total: 0n },
        })
        expect(await stateOf(order.key)).toMatchObject({
          state: "free",
          dueAt: null,
          transfer: { signature: "0x" },
        })
        expect(await store.due({ fence, network, now: start + 9999, limit: 10 })).toEqual([])
        expect((await ledger())[1]).toMatchObject({ kind: "redeemed", facts: { paid: "false" } })
      })

      it("refuses an idempotency key of another payment for 24 hours", async () => {
        const idempotencyHash = "cd".repeat(32)
        await redeem({ grant: { idempotencyHash } })
        const other = (now: number) => orderOf({ now, grant: { idempotencyHash } })
        const conflict = { kind: "refused", reason: "idempotency_conflict" }
        expect(await store.redeem(other(start + 86_400))).toEqual(conflict)
        expect(await store.redeem(other(start + 86_401))).toMatchObject({ kind: "redeemed" })
      })

      it("refuses when the queue is full and accepts again once a payment is mined", async () => {
        const fence = await lease()
        const first = await redeem({ limits: { queue: 1 } })
        const next = orderOf({ limits: { queue: 1 } })
        expect(await store.redeem(next)).toEqual({ kind: "refused", reason: "queue_full" })
        await send(fence, [first.key])
        expect(await store.redeem(next)).toEqual({ kind: "refused", reason: "queue_full" })
        const moves = [{ key: first.key, move: { to: "mined", evidence: evidenceOf() } }] as const
        await store.conclude({ fence, moves, now: start })
        expect(await store.redeem(next)).toMatchObject({ kind: "redeemed" })
      })

      it("subtracts pending value from the balance until its block is read", async () => {
        const fence = await lease()
        const payer = randomAddress()
        const first = await redeem({ payer, intake: { balance: 15_000n } })
        const as = (blockNumber: bigint, balance: bigint) =>
          orderOf({ payer, intake: { blockNumber, balance } })
        const poor = { kind: "refused", reason: "insufficient_funds" }
        expect(await store.redeem(as(105n, 15_000n))).toEqual(poor)
        const evidence = evidenceOf({ blockNumber: 110n })
        await store.conclude({
          fence,
          moves: [{ key: first.key, move: { to: "mined", evidence } }],
          now: start,
        })
        // A lagging node still shows the old balance although the money is spent.
        expect(await store.redeem(as(109n, 15_000n))).toEqual(poor)
        await store.conclude({
          fence,
          moves: [{ key: first.key, move: { to: "paid", evidence } }],
          now: start,
        })
        expect(await store.redeem(as(109n, 15_000n))).toEqual(poor)
        expect(await store.redeem(as(110n, 9_999n))).toEqual(poor)
        expect(await store.redeem(as(110n, 10_000n))).toMatchObject({ kind: "redeemed" })
      })

      it("ignores other payers, assets, networks and failed payments in the balance", async () => {
        const fence = await lease()
        const payer = randomAddress()
        const intake = { balance: 10_000n }
        await redeem({ intake })
        await redeem({ payer, intake, asset: randomAddress() })
        await redeem({ payer, intake, network: "eip155:8453" })
        const failed = await redeem({ payer, intake })
        const move = { to: "failed", failure: "expired", dueAt: null } as const
        await store.conclude({ fence, moves: [{ key: failed.key, move }], now: start })
        await redeem({ payer, intake })
      })

      describe("the exposure limits", () => {
        const policyOf = async (changes: Parameters<typeof orderOf>[0]) => {
          const outcome = await store.redeem(orderOf(changes))
          return outcome.kind === "redeemed" ? [outcome.redemption.policy, outcome.limit] : outcome
        }
        const background = ["background", null]
        const fail = async (fence: number, key: string, now = start) =>
          store.conclude({
            fence,
            moves: [{ key, move: { to: "failed", failure: "expired", dueAt: now } }],
            now,
          })
        const pay = (fence: number, key: string, now = start) =>
          store.conclude({ fence, moves: [{ key, move: { to: "paid", evidence: evidenceOf() } }], now })

        it("settle first a payment over the payer's or total exposure, on all networks", async () => {
          const payer = randomAddress()
          const limits = { perPayer: 25_000n, total: 35_000n }
          expect(await policyOf({ payer, limits })).toEqual(background)
          expect(await policyOf({ payer, limits, network: "eip155:8453" })).toEqual(background)
          expect(await policyOf({ payer, limits })).toEqual(["first", "perPayer"])
          expect(await policyOf({ limits })).toEqual(background)
          expect(await policyOf({ limits })).toEqual(["first", "total"])
        })

        it("count value in the background until it is paid or failed", async () => {
          const fence = await lease()
          const limits = { total: 20_000n }
          await redeem({ limits, policy: "first" })
          const [paid, failed] = [await redeem({ limits }), await redeem({ limits })]
          expect(await policyOf({ limits })).toEqual(["first", "total"])
          await pay(fence, paid.key)
          await fail(fence, failed.key)
          expect(await policyOf({ limits })).toEqual(background)
          expect(await policyOf({ limits })).toEqual(background)
          expect(await policyOf({ limits })).toEqual(["first", "total"])
        })

        it("allow a new payer one unsettled payment until one has settled", async () => {
          const fence = await lease()
          const payer = randomAddress()
          const limits = { newPayer: 1 }
          const first = await redeem({ payer, limits })
          expect(await policyOf({ payer, limits })).toEqual(["first", "newPayer"])
          expect(await policyOf({ limits })).toEqual(background)
          await pay(fence, first.key)
          expect(await policyOf({ payer, limits })).toEqual(background)
          expect(await policyOf({ payer, limits })).toEqual(background)
        })

        it("count losses for a day across a reopen, and not those paid after all", async () => {
          const fence = await lease()
          const limits = { dailyLoss: 20_000n }
          const [lost, late] = [await redeem({ limits }), await redeem({ limits })]
          await fail(fence, lost.key)
          expect(await policyOf({ limits, now: start + 9 })).toEqual(background)
          await fail(fence, late.key, start + 10)
          expect(await policyOf({ limits, now: start + 20 })).toEqual(["first", "dailyLoss"])
          await pay(fence, late.key, start + 30)
          store = await opened.reopen()
          expect(await policyOf({ limits, now: start + 86_399 - 3600 })).toEqual(background)
          expect(await policyOf({ limits, now: start + 86_399 - 3600 })).toEqual(background)
        })

        it("count the losses of wallets that never paid for new payers only", async () => {
          const fence = await lease()
          const limits = { dailyLoss: 20_000n }
          const payer = randomAddress()
          const first = await redeem({ payer, limits })
          await pay(fence, first.key)
          for (const { key } of [await redeem({ limits }), await redeem({ limits })]) await fail(fence, key)
          expect(await policyOf({ limits })).toEqual(["first", "dailyLoss"])
          expect(await policyOf({ payer, limits })).toEqual(background)
        })

        it("half-open after an hour: one payment in the first minute, two in the second", async () => {
          const fence = await lease()
          const limits = { dailyLoss: 20_000n }
          const losses = [await redeem({ limits }), await redeem({ limits })]
          for (const { key } of losses) await fail(fence, key)
          const at = (seconds: number) => policyOf({ limits, now: start + seconds })
          const closed = ["first", "dailyLoss"]
          expect(await at(3599)).toEqual(closed)
          expect([await at(3600), await at(3601)]).toEqual([background, closed])
          expect([await at(3660), await at(3661), await at(3662)]).toEqual([background, background, closed])
          const probe = await redeem({ limits, now: start + 3720 })
          await fail(fence, probe.key, start + 3721)
          expect(await at(3722)).toEqual(closed)
          expect(await at(3721 + 3600)).toEqual(background)
        })
      })

      describe("settle-first payments", () => {
        const request = (now: number) => ({ jti: `jti-${now}`, now, lives })

        it("have no token before settlement and the same token ever after", async () => {
          const fence = await lease()
          const { key, grant } = await redeem({ policy: "first" })
          expect((await store.recall({ key }))?.grant.token).toBeNull()
          expect((await store.issue({ key, ...request(start + 5) }))?.grant.token).toBeNull()
          await store.conclude({
            fence,
            moves: [{ key, move: { to: "paid", evidence: evidenceOf() } }],
            now: start + 10,
          })
          const asked = await Promise.all(
            Array.from({ length: 20 }, (_, at) => store.issue({ key, ...request(start + 20 + at) })),
          )
          const issued = asked[0]
          expect(issued?.grant).toMatchObject({
            startsAt: start + 20,
            expiresAt: start + 20 + grant.expiresAt - grant.startsAt,
            token: { jti: `jti-${start + 20}`, expiresAt: start + 320, settled: true },
          })
          for (const each of asked) expect(each).toEqual(issued)
          expect(await store.recall({ key })).toEqual(issued)
          expect(await store.issue({ key: "nobody's", ...request(start) })).toBeNull()
        })

        it("have no token when their payment fails", async () => {
          const fence = await lease()
          const { key } = await redeem({ policy: "first" })
          await store.conclude({
            fence,
            moves: [{ key, move: { to: "failed", failure: "expired", dueAt: null } }],
            now: start,
          })
          expect(await store.issue({ key, ...request(start) })).toMatchObject({
            grant: { token: null, ended: { reason: "settlement_failed" } },
          })
        })

        it("keep the retry hash of a buyer who sent no other proof", async () => {
          const retryHash = "ef".repeat(32)
          const proofOf = async (changes: Parameters<typeof orderOf>[0]) => {
            const { key } = await redeem({ retryHash, ...changes })
            return (await store.recall({ key }))?.grant.idempotencyHash
          }
          expect(await proofOf({ policy: "background", grant: { opening: null } })).toBeNull()
          expect(await proofOf({ policy: "first" })).toBeNull()
          expect(await proofOf({ policy: "first", grant: { opening: null } })).toBe(retryHash)
        })
      })

      it("N-9449-6, RPL-25, DOS-09: accepts a once-only key once until it expires", async () => {
        const use = (key: string, until: number, now = start) => store.useOnce({ key, until, now })
        expect(await Promise.all([use("a", start + 60), use("a", start + 60)])).toEqual(["taken", "used"])
        expect(await use("b", start + 30)).toBe("taken")
        expect(await use("a", start + 90, start + 60)).toBe("used")
        expect(await use("b", start + 90, start + 31)).toBe("taken")
        expect(await use("a", start + 120, start + 61)).toBe("taken")
      })

      it("keeps every offer with the time of its replacement", async () => {
        const offer = (ref: string): Offer => ({
          ref,
          dpop: "optional",
          id: "hour",
          scope: "movies:read",
          durationSeconds: 3600,
          units: null,
          value: null,
          settle: "background",
          prices: [
            { network, scheme: "exact", asset, amount: 2n ** 80n, payTo: relayer, maxTimeoutSeconds: 600 },
          ],
        })
        const [a, b] = [offer("hour@0000000a"), offer("hour@0000000b")]
        expect(await store.publishOffers({ offers: [a], now: 1 })).toEqual([{ offer: a, replacedAt: null }])
        await store.publishOffers({ offers: [b], now: 2 })
        expect(await store.publishOffers({ offers: [b], now: 3 })).toEqual([
          { offer: a, replacedAt: 2 },
          { offer: b, replacedAt: null },
        ])
        expect(await store.publishOffers({ offers: [a], now: 4 })).toEqual([
          { offer: a, replacedAt: null },
          { offer: b, replacedAt: 4 },
        ])
      })
    })

    describe("grants", () => {
      const turn = (grantId: string, generation: number, now = start + 1) =>
        store.rotate({
          grantId,
          generation,
          opening: null,
          keyThumbprint: null,
          resources: ["https://shop.test"],
          peer: "peer",
          jti: randomHex(16),
          now,
          lives,
        })

      it("TOK-31: rotate once among 21 concurrent refreshes, which get one answer", async () => {
        const { grant } = await redeem()
        const turns = await Promise.all(Array.from({ length: 21 }, () => turn(grant.id, 0)))
        expect(turns.map((each) => each?.decision.kind).sort()).toEqual([
          ...Array.from({ length: 20 }, () => "repeated"),
          "rotated",
        ])
        const answers = turns.map((each) => {
          const { generation, token } = each?.decision.grant ?? {}
          return JSON.stringify({ generation, token })
        })
        expect(new Set(answers).size).toBe(1)
        expect(await kinds()).toEqual(["redeemed"])
        expect(await turn(grant.id, 1, start + 2)).toMatchObject({ decision: { kind: "rotated" } })
      })

      it("end at the 21st repetition of a refresh, or ten seconds after its rotation", async () => {
        const { grant } = await redeem()
        await Promise.all(Array.from({ length: 21 }, () => turn(grant.id, 0)))
        expect(await turn(grant.id, 0)).toMatchObject({ decision: { reason: "refresh_token_reused" } })
        const { grant: other } = await redeem()
        await turn(other.id, 0)
        await turn(other.id, 0, start + 10)
        expect(await turn(other.id, 0, start + 11)).toMatchObject({
          decision: { reason: "refresh_token_reused" },
        })
      })

      it("end when a refresh token older than the last one is used again", async () => {
        const { grant } = await redeem()
        await turn(grant.id, 0)
        await turn(grant.id, 1)
        await turn(grant.id, 0)
        expect(await store.revocations({ cursor: 0, limit: 10, now: start })).toMatchObject([
          { revocation: { kind: "grant", grantId: grant.id, reason: "refresh_token_reused" } },
        ])
        expect(await kinds()).toEqual(["redeemed", "ended"])
      })

      it("store a rotation before it is answered", async () => {
        const order = await redeem()
        const outcome = await turn(order.grant.id, 0)
        expect(outcome).toMatchObject({
          decision: { kind: "rotated", grant: { generation: 1, token: { expiresAt: start + 61 } } },
          redemption: { key: order.key, state: "accepted" },
        })
        const stored = await store.recall({ key: order.key })
        expect(outcome?.decision.grant).toEqual(stored?.grant)
        expect(await turn("nobody's", 0)).toBeNull()
      })

      it("get full tokens once the payment is settled, and none after it failed", async () => {
        const fence = await lease()
        const [good, bad] = [await redeem(), await redeem()]
        await store.conclude({
          fence,
          moves: [
            { key: good.key, move: { to: "paid", evidence: evidenceOf() } },
            { key: bad.key, move: { to: "failed", failure: "cancelled", dueAt: null } },
          ],
          now: start,
        })
        expect(await turn(good.grant.id, 0)).toMatchObject({
          decision: { grant: { token: { settled: true, expiresAt: start + 301 } } },
        })
        expect(await turn(bad.grant.id, 0)).toMatchObject({
          decision: { kind: "refused", reason: "settlement_failed" },
        })
      })
    })

    describe("the lease", () => {
      it("has one holder at a time and keeps its fence on renewal", async () => {
        const first = await store.lease({ holder: "a", seconds: 10, now: 100 })
        expect(await store.lease({ holder: "b", seconds: 10, now: 109 })).toBeNull()
        expect(await store.lease({ holder: "a", seconds: 10, now: 109 })).toEqual(first)
        expect(await store.lease({ holder: "b", seconds: 10, now: 118 })).toBeNull()
        expect(await store.lease({ holder: "b", seconds: 10, now: 119 })).toEqual({ fence: first!.fence + 1 })
      })

      it("gets a new fence when its holder had lost it", async () => {
        const first = await store.lease({ holder: "a", seconds: 10, now: 100 })
        expect(await store.lease({ holder: "a", seconds: 10, now: 110 })).toEqual({ fence: first!.fence + 1 })
      })

      it("is required before any settlement verb", async () => {
        await expect(store.mined({ fence: 0, network })).rejects.toBeInstanceOf(Fenced)
      })

      it("SET-42: is not waited for after the clock was set back; its holder renews it", async () => {
        const first = await store.lease({ holder: "a", seconds: 10, now: 10_000 })
        expect(await store.lease({ holder: "a", seconds: 10, now: 6400 })).toEqual(first)
        expect(await store.lease({ holder: "b", seconds: 10, now: 6409 })).toBeNull()
        // Processes that wait for the database may be some seconds late.
        expect(await store.lease({ holder: "b", seconds: 10, now: 6390 })).toBeNull()
        expect(await store.lease({ holder: "b", seconds: 10, now: 6389 })).toEqual({
          fence: first!.fence + 1,
        })
      })

      it("is free at once after its release", async () => {
        const first = await store.lease({ holder: "a", seconds: 10, now: 100 })
        await store.release({ fence: first!.fence })
        expect(await store.lease({ holder: "b", seconds: 10, now: 100 })).toEqual({ fence: first!.fence + 1 })
      })

      it("MI-05: rejects every write with an old fence", async () => {
        const old = await lease()
        const order = await redeem()
        const sent = await send(old, [order.key])
        const spare = await redeem()
        await store.lease({ holder: "other", seconds: 30, now: start + 30 })
        const before = await ledger()
        const fence = old
        const now = start
        const evidence = evidenceOf()
        const tries: Promise<unknown>[] = [
          store.due({ fence, network, now, limit: 1 }),
          store.nextNonce({ fence, network, relayer, chainNonce: 9 }),
          store.prepare({ fence, nonce: 1, ...preparation([spare.key]) }),
          store.replace({ fence, transactionId: sent.id, version: versionOf(), now }),
          store.broadcast({ fence, transactionId: sent.id, now }),
          store.inFlight({ fence, network }),
          store.mined({ fence, network }),
          store.paidBlocks({ fence, network, limit: 1 }),
          store.paidIn({ fence, network, ...evidence }),
          store.conclude({ fence, moves: [{ key: order.key, move: { to: "paid", evidence } }], now }),
          store.release({ fence }),
          store.mined({ fence: 0, network }),
        ]
        for (const outcome of await Promise.allSettled(tries))
          expect(outcome.status === "rejected" && outcome.reason).toBeInstanceOf(Fenced)
        expect(await ledger()).toEqual(before)
        expect((await stateOf(order.key))?.state).toBe("sent")
        expect((await stateOf(spare.key))?.state).toBe("accepted")
      })
    })

    describe("settlement", () => {
      it("returns due payments in order of their expiry", async () => {
        const fence = await lease()
        const until = (validBefore: bigint) => redeem({ transfer: { validBefore } })
        const [later, soon, sooner] = [
          await until(10_000_000_000n),
          await until(9_999_999_999n),
          await until(3_000_000_000n),
        ]
        const elsewhere = await redeem({ network: "eip155:8453" })
        const due = (limit: number) => store.due({ fence, network, now: start, limit })
        expect((await due(10)).map((row) => row.key)).toEqual([sooner.key, soon.key, later.key])
        expect((await due(1)).map((row) => row.key)).toEqual([sooner.key])
        // A clock that was set back after the sale delays nothing.
        expect(await store.due({ fence, network, now: start - 3600, limit: 10 })).toHaveLength(3)
        expect(await stateOf(elsewhere.key)).toMatchObject({ state: "accepted" })
      })

      it("returns a failed payment for a last check and books money that came late", async () => {
        const fence = await lease()
        const { key } = await redeem()
        const conclude = (move: Parameters<Store["conclude"]>[0]["moves"][number]["move"]) =>
          store.conclude({ fence, moves: [{ key, move }], now: start })
        await conclude({ to: "failed", failure: "expired", dueAt: start + 60 })
        expect(await store.due({ fence, network, now: start + 59, limit: 1 })).toEqual([])
        expect(await store.due({ fence, network, now: start + 60, limit: 1 })).toMatchObject([{ key }])
        await conclude({ to: "failed", failure: "expired", dueAt: null })
        expect(await store.due({ fence, network, now: start + 999, limit: 1 })).toEqual([])
        await conclude({ to: "paid", evidence: evidenceOf() })
        expect(await kinds()).toEqual(["redeemed", "failed", "ended", "settled", "resumed"])
        expect((await store.recall({ key }))?.grant.ended).toBeNull()
      })

      it("assigns a nonce once", async () => {
        const fence = await lease()
        const orders = await Promise.all(Array.from({ length: 10 }, () => redeem()))
        const next = (chainNonce: number) => store.nextNonce({ fence, network, relayer, chainNonce })
        // A relayer with transactions of its own history starts at its chain nonce.
        expect(await next(7)).toEqual({ nonce: 7, skipped: 0 })
        const nonce = 7
        const tries = orders.map(({ key }) => store.prepare({ fence, nonce, ...preparation([key]) }))
        const outcomes = await Promise.allSettled(tries)
        expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1)
        expect(await next(0)).toEqual({ nonce: 8, skipped: 0 })
        // A gap in the nonces would hold up every later transaction.
        const [spare] = await store.due({ fence, network, now: start, limit: 1 })
        const leap = store.prepare({ fence, nonce: 10, ...preparation([spare!.key]) })
        await expect(leap).rejects.toThrow("found nonce 10, wanted the next one, 8")
        expect(await store.due({ fence, network, now: start, limit: 99 })).toHaveLength(9)
        const other = { fence, network, relayer: randomAddress(), chainNonce: 0 }
        expect(await store.nextNonce(other)).toEqual({ nonce: 0, skipped: 0 })
      })

      it("skips nonces used elsewhere, reports them once, and fills them if free again", async () => {
        const fence = await lease()
        const { key } = await redeem()
        const next = (chainNonce: number) => store.nextNonce({ fence, network, relayer, chainNonce })
        await next(3)
        expect(await next(5)).toEqual({ nonce: 5, skipped: 2 })
        expect(await next(5)).toEqual({ nonce: 5, skipped: 0 })
        const prepare = (nonce: number, keys: readonly string[]) =>
          store.prepare({ fence, nonce, ...preparation(keys) })
        // Payments go in order; only an empty transaction may fill an earlier nonce.
        await expect(prepare(4, [key])).rejects.toThrow("found nonce 4, wanted the next one, 5")
        expect(await prepare(4, [])).toMatchObject({ nonce: 4, state: "signed" })
        for (const taken of [4, 6])
          await expect(prepare(taken, [])).rejects.toThrow(`found nonce ${taken}, wanted the next one, 5`)
        expect(await next(3)).toEqual({ nonce: 5, skipped: 0 })
        const nonces = (await store.inFlight({ fence, network })).map(({ transaction }) => transaction.nonce)
        expect(nonces).toEqual([4])
      })

      it("prepares every payment of a transaction or none", async () => {
        const fence = await lease()
        const [a, b] = [await redeem(), await redeem()]
        const { nonce } = await store.nextNonce({ fence, network, relayer, chainNonce: 0 })
        for (const keys of [
          [a.key, "nobody's"],
          [a.key, a.key],
        ])
          await expect(store.prepare({ fence, nonce, ...preparation(keys) })).rejects.toThrow()
        expect(await stateOf(a.key)).toMatchObject({ state: "accepted", transactionId: null, dueAt: 0 })
        const sent = await store.prepare({ fence, nonce, ...preparation([a.key, b.key]) })
        expect(sent).toMatchObject({ nonce, state: "signed", storedAt: start, sentAt: null })
        expect(await stateOf(b.key)).toMatchObject({ state: "sent", transactionId: sent.id, dueAt: null })
        expect(await store.due({ fence, network, now: start, limit: 10 })).toEqual([])
      })

      it("keeps each version of a transaction and its payments, lowest nonce first", async () => {
        const fence = await lease()
        const [a, b, c] = [await redeem(), await redeem(), await redeem()]
        const first = await send(fence, [a.key, b.key])
        const second = await send(fence, [c.key])
        const version = versionOf({ maxFeePerGas: 2n ** 70n })
        await store.broadcast({ fence, transactionId: first.id, now: start + 1 })
        await store.replace({ fence, transactionId: first.id, version, now: start + 2 })
        const rows = async (keys: string[]) => Promise.all(keys.map(stateOf))
        expect(await store.inFlight({ fence, network })).toEqual([
          {
            transaction: {
              ...first,
              state: "broadcast",
              sentAt: start + 1,
              storedAt: start + 2,
              versions: [first.versions[0], version],
            },
            redemptions: await rows([a.key, b.key]),
          },
          { transaction: second, redemptions: await rows([c.key]) },
        ])
        expect(await store.inFlight({ fence, network: "eip155:8453" })).toEqual([])
      })

      it("replaces the call of a transaction together with its bytes", async () => {
        const fence = await lease()
        const { id } = await send(fence, [(await redeem()).key])
        const call = { to: relayer, data: "0x", gas: 21_000n } as const
        await store.replace({ fence, transactionId: id, version: versionOf(), call, now: start })
        expect(await store.inFlight({ fence, network })).toMatchObject([{ transaction: { id, ...call } }])
      })

      it("retries a dead payment by command only, with its attempts reset", async () => {
        const fence = await lease()
        const { key } = await redeem()
        const conclude = (move: Parameters<Store["conclude"]>[0]["moves"][number]["move"]) =>
          store.conclude({ fence, moves: [{ key, move }], now: start })
        const due = () => store.due({ fence, network, now: start + 9999, limit: 9 })
        await conclude({ to: "accepted", dueAt: start, error: "first" })
        expect(await store.retry({ key, now: start })).toEqual({ retried: false })
        await conclude({ to: "dead", error: "second" })
        expect(await stateOf(key)).toMatchObject({
          state: "dead",
          dueAt: null,
          attempts: 2,
          lastError: "second",
        })
        expect(await due()).toEqual([])
        // A dead payment is not queued, but its value may still be lost.
        expect(await store.exposure()).toMatchObject({ unsettled: 10_000n, queued: 0 })
        expect(await store.retry({ key, now: start + 1 })).toEqual({ retried: true })
        expect(await store.retry({ key, now: start + 1 })).toEqual({ retried: false })
        const accepted = { key, state: "accepted", dueAt: 0, attempts: 0 } as const
        expect(await due()).toMatchObject([{ ...accepted, lastError: "second" }])
        await expect(store.retry({ key: "nobody's", now: start })).rejects.toThrow("no redemption")
        expect(await kinds()).toEqual(["redeemed", "dead", "retried"])
        expect((await ledger())[1]?.facts).toMatchObject({ value: "10000", error: "second" })
      })

      it("lists redemptions page by page and returns the history of one", async () => {
        const fence = await lease()
        const orders = [await redeem(), await redeem(), await redeem()]
        const [a, b, c] = orders.map(({ key }) => key) as [string, string, string]
        const first = await send(fence, [a, b])
        await store.conclude({ fence, moves: [{ key: a, move: { to: "dead" } }], now: start })
        await store.conclude({
          fence,
          moves: [{ key: b, move: { to: "accepted", dueAt: start } }],
          now: start,
        })
        const second = await send(fence, [b])
        const list = async (state: "accepted" | "dead" | null, after: number, limit: number) =>
          (await store.redemptions({ state, after, limit })).map((each) => [
            each.sequence,
            each.redemption.key,
          ])
        expect(await list(null, 0, 9)).toEqual([
          [1, a],
          [2, b],
          [3, c],
        ])
        expect(await list(null, 1, 1)).toEqual([[2, b]])
        expect(await list("dead", 0, 9)).toEqual([[1, a]])
        expect(await store.history({ key: b })).toEqual({
          redemption: await stateOf(b),
          transactions: [first, second],
          entries: (await ledger()).filter((entry) => entry.redemptionKey === b),
        })
        expect(await store.history({ key: c })).toMatchObject({ redemption: { key: c }, transactions: [] })
        expect(await store.history({ key: "nobody's" })).toBeNull()
      })

      it("follows a payment into a block, out of it by a reorg, and into another", async () => {
        const fence = await lease()
        const { key } = await redeem()
        const { id } = await send(fence, [key])
        const evidence = evidenceOf()
        await store.conclude({
          fence,
          done: id,
          moves: [{ key, move: { to: "mined", evidence } }],
          now: start,
        })
        expect(await store.inFlight({ fence, network })).toEqual([])
        expect(await store.mined({ fence, network })).toMatchObject([{ key, evidence, transactionId: id }])
        await expect(store.broadcast({ fence, transactionId: id, now: start })).rejects.toThrow()
        const later = start + 3
        await store.conclude({ fence, reopened: id, moves: [{ key, move: { to: "sent" } }], now: later })
        expect(await store.mined({ fence, network })).toEqual([])
        const transaction = { id, state: "broadcast", storedAt: later }
        expect(await store.inFlight({ fence, network })).toMatchObject([
          { transaction, redemptions: [{ key, state: "sent", evidence: null }] },
        ])
        const other = evidenceOf()
        const moves = [{ key, move: { to: "paid", evidence: other } }] as const
        await store.conclude({ fence, done: id, moves, now: start + 5 })
        expect(await kinds()).toEqual(["redeemed", "reopened", "settled"])
        expect((await ledger()).slice(1)).toMatchObject([
          { facts: { transaction: evidence.transactionHash } },
          { facts: { transaction: other.transactionHash } },
        ])
      })

      it("lists blocks with paid payments, oldest first, until they are final", async () => {
        const fence = await lease()
        const blockOf = (blockNumber: bigint) => ({ blockNumber, blockHash: randomHex(32) })
        const [old, young] = [blockOf(9n), blockOf(10n)]
        const pay = async (block: typeof old) => {
          const { key } = await redeem()
          const moves = [{ key, move: { to: "paid", evidence: evidenceOf(block) } }] as const
          await store.conclude({ fence, moves, now: start })
          return key
        }
        const [a, b, c] = [await pay(young), await pay(old), await pay(young)]
        const blocks = (limit: number) => store.paidBlocks({ fence, network, limit })
        expect(await blocks(9)).toEqual([old, young])
        expect(await blocks(1)).toEqual([old])
        expect(await store.paidBlocks({ fence, network: "eip155:8453", limit: 9 })).toEqual([])
        const rows = await store.paidIn({ fence, network, ...young })
        expect(rows.map((row) => row.key)).toEqual([a, c])
        expect(await store.paidIn({ fence, network, ...young, blockHash: old.blockHash })).toEqual([])
        const moves = [a, c].map((key) => ({ key, move: { to: "final" } as const }))
        await store.conclude({ fence, moves, now: start })
        expect(await blocks(9)).toEqual([old])
        expect((await stateOf(b))?.state).toBe("paid")
        expect(await kinds()).toEqual([...Array(3)].flatMap(() => ["redeemed", "settled"]))
      })

      it("makes all moves of a conclusion or none", async () => {
        const fence = await lease()
        const [a, b] = [await redeem(), await redeem()]
        const { id } = await send(fence, [a.key, b.key])
        const evidence = evidenceOf()
        const before = await ledger()
        for (const moves of [
          [
            { key: a.key, move: { to: "paid", evidence } },
            { key: b.key, move: { to: "paid", evidence } },
          ],
          [
            { key: a.key, move: { to: "paid", evidence } },
            { key: a.key, move: { to: "failed", failure: "short", dueAt: null } },
          ],
          [
            { key: a.key, move: { to: "failed", failure: "short", dueAt: null } },
            { key: "nobody's", move: { to: "sent" } },
          ],
        ] as const)
          await expect(store.conclude({ fence, done: id, moves, now: start })).rejects.toThrow()
        expect(await ledger()).toEqual(before)
        expect(await store.inFlight({ fence, network })).toMatchObject([
          { transaction: { id, state: "signed" }, redemptions: [{ state: "sent" }, { state: "sent" }] },
        ])
        expect(await store.revocations({ cursor: 0, limit: 10, now: start })).toEqual([])
      })

      it("accepts one Transfer for one redemption", async () => {
        const fence = await lease()
        const [a, b] = [await redeem(), await redeem()]
        const evidence = evidenceOf()
        const pay = (key: string, logIndex: number) =>
          store.conclude({
            fence,
            moves: [{ key, move: { to: "paid", evidence: { ...evidence, logIndex } } }],
            now: start,
          })
        await pay(a.key, 3)
        await expect(pay(b.key, 3)).rejects.toThrow()
        expect((await stateOf(b.key))?.state).toBe("accepted")
        await pay(b.key, 5)
      })

      it("numbers every ledger entry in order", async () => {
        const fence = await lease()
        const orders = await Promise.all(Array.from({ length: 20 }, () => redeem()))
        await store.conclude({
          fence,
          moves: orders.map(({ key }) => ({ key, move: { to: "paid", evidence: evidenceOf() } })),
          now: start,
        })
        const all = await ledger()
        expect(all).toHaveLength(40)
        const sequences = all.map((entry) => entry.sequence)
        expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b))
        const page = await store.entries({ after: sequences[9] ?? 0, limit: 5 })
        expect(page).toEqual(all.slice(10, 15))
      })
    })

    it("returns the same after a reopen", async () => {
      const fence = await lease()
      const [a, b] = [await redeem(), await redeem()]
      await send(fence, [a.key])
      const view = async (from: Store) => ({
        a: await from.recall({ key: a.key }),
        b: await from.recall({ key: b.key }),
        entries: await from.entries({ after: 0, limit: 99 }),
        due: await from.due({ fence, network, now: start, limit: 9 }),
        inFlight: await from.inFlight({ fence, network }),
        nonce: await from.nextNonce({ fence, network, relayer, chainNonce: 0 }),
      })
      const before = await view(store)
      const reopened = await opened.reopen()
      expect(await view(reopened)).toEqual(before)
      expect(await reopened.redeem(a)).toMatchObject({ kind: "repeated" })
    })

    it("finishes pending verbs before it closes and rejects later ones", async () => {
      const order = orderOf()
      const asked = store.redeem(order)
      await Promise.all([store.close(), store.close()])
      expect(await asked).toMatchObject({ kind: "redeemed" })
      await expect(store.recall({ key: order.key })).rejects.toBeInstanceOf(StoreUnavailable)
      await store.close()
    })
  })
}
