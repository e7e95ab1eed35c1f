/** Contract suite for the whitelist. */
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { WhitelistMember } from "../../server/core/whitelist.ts"
import type { Store } from "../../server/ports/store.ts"
import { network, orderOf, randomAddress, start } from "../support/orders.ts"
import type { OpenedStore } from "./store.ts"

const hash = "0123456789abcdef".repeat(4)
const other = "fedcba9876543210".repeat(4)
const address = randomAddress()
const agent: WhitelistMember = { id: address, secretSha256: null, scope: "movies:read" }
const billing: WhitelistMember = { id: "billing", secretSha256: hash, scope: "movies:read movies:write" }
const lives = { full: 300, pending: 60 }

export function whitelistContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the whitelist of the ${name} store`, () => {
    let opened: OpenedStore
    let store: Store
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.cleanup())

    const publish = (members: readonly WhitelistMember[], now = start) =>
      store.publishWhitelist({ members, now })
    const add = (member: WhitelistMember, now = start) => store.addToWhitelist({ member, now })
    const remove = (id: string, now = start) => store.removeFromWhitelist({ id, now })
    const listed = async () => (await store.whitelist({ version: -1 }))?.entries ?? []
    const ids = async () => (await listed()).map((entry) => entry.id)
    const ledger = () => store.entries({ after: 0, limit: 1000 })
    const changesBooked = async () =>
      (await ledger()).flatMap((entry) =>
        entry.kind === "whitelist_added" || entry.kind === "whitelist_removed"
          ? [[entry.kind, entry.at - start, entry.facts.by, entry.facts.entry]]
          : [],
      )
    const admit = (changed: { subject?: string; secretSha256?: string; now?: number } = {}) => {
      const { subject = "billing", secretSha256 = hash, now = start } = changed
      const { grant } = orderOf({ now, grant: { subject, paid: false, offer: null, opening: null } })
      return store.admit({ grant, secretSha256, now })
    }
    const freeOrder = (now = start) =>
      orderOf({ now, payer: address, settle: false, grant: { paid: false }, intake: { balance: 0n } })

    it("WL-12: is empty at first and admits nobody", async () => {
      expect(await store.whitelist({ version: 0 })).toBeNull()
      expect(await listed()).toEqual([])
      expect(await publish([])).toEqual({ heldBack: [] })
      expect(await store.redeem(freeOrder())).toEqual({ kind: "refused", reason: "access_denied" })
      expect(await admit()).toEqual({ kind: "refused" })
      expect(await ledger()).toEqual([])
    })

    it("books each change with its author and time, and never a hash", async () => {
      await publish([agent])
      expect(await add(billing, start + 1)).toEqual({ changed: true })
      expect(await remove("billing", start + 2)).toEqual({ changed: true })
      await publish([], start + 3)
      expect(await ledger()).toMatchObject([
        {
          kind: "whitelist_added",
          at: start,
          grantId: null,
          redemptionKey: null,
          facts: { entry: address, scope: "movies:read", by: "configuration" },
        },
        { kind: "whitelist_added", at: start + 1, facts: { entry: "billing", by: "command" } },
        { kind: "whitelist_removed", at: start + 2, facts: { entry: "billing", by: "command" } },
        { kind: "whitelist_removed", at: start + 3, facts: { entry: address, by: "configuration" } },
      ])
      expect(JSON.stringify(await ledger())).not.toContain(hash)
    })

    it("books nothing when nothing changes", async () => {
      await publish([agent])
      await publish([agent], start + 9)
      expect(await add(agent, start + 9)).toEqual({ changed: false })
      expect(await remove("nobody")).toEqual({ changed: false })
      await remove(address)
      expect(await remove(address)).toEqual({ changed: false })
      expect(await changesBooked()).toHaveLength(2)
    })

    it("is returned again only after a change", async () => {
      await publish([agent])
      const first = await store.whitelist({ version: 0 })
      expect(first?.entries).toEqual([{ ...agent, by: "configuration", listedAt: start }])
      const version = first?.version ?? 0
      expect(await store.whitelist({ version })).toBeNull()
      await store.redeem(orderOf())
      expect(await store.whitelist({ version })).toBeNull()
      await add(billing)
      expect((await store.whitelist({ version }))?.entries).toHaveLength(2)
    })

    it("keeps a removal by command against the configuration until a command re-adds it", async () => {
      await publish([agent, billing])
      await remove(address, start + 1)
      store = await opened.reopen()
      expect(await publish([agent, billing], start + 2)).toEqual({ heldBack: [address] })
      expect(await ids()).toEqual(["billing"])
      await add(agent, start + 3)
      expect(await publish([agent, billing], start + 4)).toEqual({ heldBack: [] })
      expect(await listed()).toContainEqual({ ...agent, by: "configuration", listedAt: start + 3 })
    })

    it("keeps entries of commands at a start and replaces those of the configuration", async () => {
      await publish([agent])
      await add(billing)
      await publish([])
      expect(await ids()).toEqual(["billing"])
      await publish([agent], start + 5)
      expect(await ids()).toEqual([address, "billing"].sort())
      const wider = { ...agent, scope: "movies:read movies:list" }
      await publish([wider], start + 9)
      // A change of scope leaves earlier grants in force.
      expect(await listed()).toContainEqual({ ...wider, by: "configuration", listedAt: start + 5 })
    })

    it("WL-09: revives no grant when an entry returns or gets another secret", async () => {
      await publish([agent, billing])
      const order = freeOrder()
      expect(await store.redeem(order)).toMatchObject({ kind: "redeemed" })
      const rotate = (generation: number, now: number) =>
        store.rotate({
          grantId: order.grant.id,
          generation,
          opening: null,
          keyThumbprint: null,
          resources: ["https://shop.test"],
          peer: "peer",
          jti: "jti",
          now,
          lives,
        })
      expect((await rotate(0, start + 1))?.decision).toMatchObject({
        kind: "rotated",
        grant: { paid: false, token: { settled: true, expiresAt: start + 301 } },
      })
      await remove(address, start + 2)
      const denied = { kind: "refused", reason: "access_denied" }
      expect((await rotate(1, start + 3))?.decision).toEqual(denied)
      expect(await store.redeem(freeOrder(start + 3))).toEqual(denied)
      await add(agent, start + 4)
      expect((await rotate(1, start + 5))?.decision).toEqual(denied)
      expect(await store.redeem(freeOrder(start + 5))).toMatchObject({ kind: "redeemed" })
      await add({ ...billing, secretSha256: other }, start + 6)
      expect(await listed()).toContainEqual(expect.objectContaining({ id: "billing", listedAt: start + 6 }))
    })

    it("admits a listed client with its secret and books the grant", async () => {
      await publish([agent, billing])
      const admitted = await admit()
      if (admitted.kind !== "admitted") throw new Error('expected kind "admitted"')
      expect(admitted.grant).toMatchObject({ subject: "billing", paid: false, offer: null, ended: null })
      expect((await ledger()).at(-1)).toMatchObject({
        kind: "admitted",
        grantId: admitted.grant.id,
        redemptionKey: null,
        facts: { client: "billing", scope: "movies:read" },
      })
      const before = await ledger()
      const refused = { kind: "refused" }
      expect(await admit({ secretSha256: other })).toEqual(refused)
      expect(await admit({ subject: "nobody" })).toEqual(refused)
      expect(await admit({ subject: address, secretSha256: "" })).toEqual(refused)
      expect(await admit({ subject: `${network}:${address}` })).toEqual(refused)
      expect(await ledger()).toEqual(before)
      await remove("billing", start + 1)
      expect(await admit({ now: start + 2 })).toEqual(refused)
    })

    it("KEY-12: treats ids and filters as text, with any characters", async () => {
      await publish([agent, billing])
      const before = { list: await listed(), ledger: await ledger() }
      const fragments = fc.constantFrom(
        ...[
          "'",
          '"',
          ";",
          "--",
          "/*",
          "\0",
          "%",
          "_",
          "\\",
          " OR 1=1",
          "') DROP TABLE whitelist;",
          "billing",
        ],
        ...["UNION SELECT secret_sha256 FROM whitelist", "\ud800", "𝔅", "?", ":id", "NULL", "x'00'", address],
      )
      const hostile = fc
        .oneof(
          fc.string({ unit: "binary" }),
          fc.array(fragments, { maxLength: 5 }).map((all) => all.join("")),
        )
        .filter((text) => text !== "billing" && text !== address)
      await fc.assert(
        fc.asyncProperty(
          fc.array(hostile, { minLength: 250, maxLength: 250, size: "max" }),
          async (texts) => {
            const asked = texts.flatMap((text): Promise<unknown>[] => [
              store.recall({ key: text }),
              remove(text).then(({ changed }) => changed || null),
              admit({ subject: text }).then(({ kind }) => (kind === "refused" ? null : kind)),
              store.rotate({
                grantId: text,
                generation: 0,
                opening: null,
                keyThumbprint: null,
                resources: ["https://shop.test"],
                peer: "peer",
                jti: text,
                now: start,
                lives,
              }),
            ])
            for (const answer of await Promise.all(asked)) expect(answer).toBeNull()
          },
        ),
        // A hundred thousand calls; on PostgreSQL each is a transaction with a server.
        { numRuns: name === "PostgreSQL" ? 4 : 100 },
      )
      expect({ list: await listed(), ledger: await ledger() }).toEqual(before)
    }, 120_000)

    it("KEY-12: keeps a scope as it is spelt", async () => {
      const scope = "a'); DELETE FROM grants; -- \\ % ?"
      await add({ ...billing, scope })
      expect(await listed()).toMatchObject([{ id: "billing", scope }])
    })
  })
}
