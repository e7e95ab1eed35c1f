/** Contract suite for revocations: grants, tokens, rules and removals from the whitelist. */
import { randomBytes } from "node:crypto"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { NewGrant } from "../../server/core/grant.ts"
import type { RevocationTarget } from "../../server/ports/records.ts"
import type { Store } from "../../server/ports/store.ts"
import { evidenceOf, orderOf, randomAddress, start } from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

const secretSha256 = "ab".repeat(32)

export function revocationContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`revocations in the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.cleanup())

    const redeem = async (changes: Parameters<typeof orderOf>[0] = {}) => {
      const order = orderOf(changes)
      expect(await store.redeem(order)).toMatchObject({ kind: "redeemed" })
      return order
    }
    const admit = async (subject: string, at: number): Promise<NewGrant> => {
      const { grant } = orderOf({
        grant: { subject, paid: false, offer: null, opening: null, startsAt: at, expiresAt: at + 300 },
      })
      expect(await store.admit({ grant, secretSha256, now: at })).toMatchObject({ kind: "admitted" })
      return grant
    }
    const revoke = (target: RevocationTarget, now = start + 10) =>
      store.revoke({ target, by: "operator", note: "lost", now })
    const published = async (cursor = 0, now = start + 10) =>
      (await store.revocations({ cursor, limit: 100, now })).map(({ revocation }) => revocation)
    const refusalOf = async ({ id }: { id: string }) => {
      const lives = { full: 300, pending: 60 }
      const jti = randomBytes(16).toString("base64url")
      const turn = await store.rotate({
        grantId: id,
        generation: 0,
        opening: null,
        keyThumbprint: null,
        resources: ["https://shop.test"],
        peer: "peer",
        jti,
        now: start + 11,
        lives,
      })
      return turn?.decision.kind === "refused" ? turn.decision.reason : undefined
    }
    const booked = async () =>
      (await store.entries({ after: 0, limit: 100 })).filter(({ kind }) =>
        ["ended", "token_revoked", "revoked"].includes(kind),
      )

    it("N-7009-1: end a grant once, for refreshes and for gates", async () => {
      const { key, grant } = await redeem()
      const ends = await Promise.all(
        Array.from({ length: 20 }, () => revoke({ kind: "grant", grantId: grant.id })),
      )
      expect(ends.reduce((sum, { revoked }) => sum + revoked, 0)).toBe(1)
      expect(await published()).toEqual([
        { kind: "grant", grantId: grant.id, reason: "revoked", expiresAt: start + 3600 },
      ])
      expect(await booked()).toMatchObject([
        {
          kind: "ended",
          grantId: grant.id,
          redemptionKey: key,
          facts: { reason: "revoked", by: "operator", note: "lost" },
        },
      ])
      expect(await refusalOf(grant)).toBe("grant_revoked")
      expect(await revoke({ kind: "grant", grantId: "nobody's" })).toEqual({ revoked: 0 })
    })

    it("N-7009-1: revoke a token once and leave its grant alive", async () => {
      const { grant } = await redeem()
      const target = { kind: "token", grantId: grant.id, jti: "j", expiresAt: start + 60 } as const
      expect(await revoke(target)).toEqual({ revoked: 1 })
      expect(await revoke(target)).toEqual({ revoked: 0 })
      expect(await revoke({ ...target, jti: "k", grantId: "nobody's" })).toEqual({ revoked: 0 })
      expect(await published()).toEqual([{ kind: "token", jti: "j", expiresAt: start + 60 }])
      expect(await booked()).toMatchObject([
        { kind: "token_revoked", grantId: grant.id, facts: { jti: "j" } },
      ])
      expect(await refusalOf(grant)).toBeUndefined()
    })

    it("by payer end the grants bought before the instant, on every network", async () => {
      const payer = randomAddress()
      const bought = await redeem({ payer })
      const elsewhere = await redeem({ payer, grant: { subject: `eip155:1:${payer}` } })
      const others = [await redeem(), await redeem({ payer, now: start + 50 })]
      expect(await revoke({ kind: "subject", id: payer, before: start + 50 })).toEqual({ revoked: 2 })
      expect(await published()).toMatchObject([{ grantId: bought.grant.id }, { grantId: elsewhere.grant.id }])
      expect((await booked()).map(({ kind }) => kind)).toEqual(["ended", "ended"])
      for (const { grant } of others) expect(await refusalOf(grant)).toBeUndefined()
    })

    it("by rule end all older grants of an offer with one published entry", async () => {
      const hour = "hour@00000000"
      const ended = [
        await redeem(),
        await redeem({ grant: { offer: "hour@11111111" } }),
        await redeem({ grant: { offer: hour, startsAt: start + 9 } }),
      ]
      const left = [
        await redeem({ grant: { offer: "hours@00000000" } }),
        await redeem({ grant: { offer: null } }),
        await redeem({ grant: { offer: hour, startsAt: start + 10 } }),
      ]
      const target = { kind: "rule", offer: "hour", before: start + 10 } as const
      expect(await revoke(target)).toEqual({ revoked: 3 })
      for (const { grant } of ended) expect(await refusalOf(grant)).toBe("grant_revoked")
      for (const { grant } of left) expect(await refusalOf(grant)).toBeUndefined()
      // The rule is kept as long as an access token lives, not as long as the grants.
      expect(await published()).toEqual([{ ...target, expiresAt: start + 10 + 3600 }])
      expect(await booked()).toMatchObject([
        {
          kind: "revoked",
          grantId: null,
          facts: { offer: "hour", before: String(start + 10), grants: "3", note: "lost" },
        },
      ])
      expect(await revoke(target)).toEqual({ revoked: 0 })
      expect(await revoke({ ...target, offer: hour, before: start + 11 })).toEqual({ revoked: 1 })
      expect(await revoke({ kind: "rule", offer: null, before: start + 11 })).toEqual({ revoked: 2 })
    })

    it("keep the reason of a rule when the grant's payment fails later", async () => {
      const { key, grant } = await redeem()
      await revoke({ kind: "rule", offer: null, before: start + 10 })
      const held = await store.lease({ holder: "worker", seconds: 30, now: start })
      const move = { to: "failed", failure: "expired", dueAt: null } as const
      await store.conclude({ fence: held?.fence ?? 0, moves: [{ key, move }], now: start + 20 })
      expect((await store.findGrant({ by: "id", value: grant.id }))?.grant.ended?.reason).toBe("revoked")
      expect((await store.entries({ after: 0, limit: 10 })).map(({ kind }) => kind)).toEqual([
        "redeemed",
        "revoked",
        "failed",
      ])
    })

    it("WL-09: end the grants of a removed or re-keyed client, also for remote gates", async () => {
      const member = { id: "billing", secretSha256, scope: "movies:read" }
      await store.addToWhitelist({ member, now: start })
      const first = await admit("billing", start)
      const paid = await redeem({ payer: randomAddress() })
      await store.addToWhitelist({ member: { ...member, scope: "movies:read more" }, now: start + 5 })
      expect(await published()).toEqual([])
      await store.addToWhitelist({ member: { ...member, secretSha256: "cd".repeat(32) }, now: start + 6 })
      expect(await published()).toMatchObject([{ grantId: first.id, reason: "delisted" }])
      await store.addToWhitelist({ member, now: start + 7 })
      const second = await admit("billing", start + 8)
      await store.removeFromWhitelist({ id: "billing", now: start + 8 })
      expect(await published()).toMatchObject([{ grantId: first.id }, { grantId: second.id }])
      expect(await refusalOf(paid.grant)).toBeUndefined()
    })

    it("WL-09: leave a bought grant alive when its payer leaves the whitelist", async () => {
      const payer = randomAddress()
      const paid = await redeem({ payer })
      await store.addToWhitelist({ member: { id: payer, secretSha256: null, scope: "a" }, now: start + 5 })
      await store.removeFromWhitelist({ id: payer, now: start + 6 })
      expect(await refusalOf(paid.grant)).toBeUndefined()
      expect(await published()).toEqual([])
    })

    it("are returned once each, in pages, while an affected token may live", async () => {
      const held = await store.lease({ holder: "worker", seconds: 30, now: start })
      const fail = async (expiresAt: number) => {
        const { key, grant } = await redeem({ grant: { expiresAt } })
        const move = { to: "failed", failure: "expired", dueAt: null } as const
        await store.conclude({ fence: held?.fence ?? 0, moves: [{ key, move }], now: start })
        return { kind: "grant", grantId: grant.id, reason: "settlement_failed", expiresAt }
      }
      const all = [await fail(start + 100), await fail(start + 1000)]
      // The grant lasts a month, but its access tokens live an hour at most.
      all.push({ ...(await fail(start + 2_592_000)), expiresAt: start + 3600 })
      expect(await published()).toEqual(all)
      const [first] = await store.revocations({ cursor: 0, limit: 1, now: start })
      expect(first?.revocation).toEqual(all[0])
      expect(await published(first?.sequence)).toEqual(all.slice(1))
      const slack = 60
      expect(await published(0, start + 100 + slack)).toEqual(all)
      expect(await published(0, start + 100 + slack + 1)).toEqual(all.slice(1))
    })

    it("survive a reopen", async () => {
      const { grant } = await redeem()
      await revoke({ kind: "grant", grantId: grant.id })
      const before = await published()
      store = await opened.reopen()
      expect(await published()).toEqual(before)
      expect(await refusalOf(grant)).toBe("grant_revoked")
    })

    it("do not stop the settlement of the revoked grant's payment", async () => {
      const { key, grant } = await redeem()
      await revoke({ kind: "grant", grantId: grant.id })
      const held = await store.lease({ holder: "worker", seconds: 30, now: start })
      const move = { to: "paid", evidence: evidenceOf() } as const
      await store.conclude({ fence: held?.fence ?? 0, moves: [{ key, move }], now: start + 20 })
      expect((await store.recall({ key }))?.redemption.state).toBe("paid")
    })
  })
}
