/** Contract suite that every storage of the key ring must pass. */
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { openRing, type RingStorage } from "../../server/keys/index.ts"
import { createKeyMaintenance } from "../../server/keys/key-maintenance.ts"
import { emptyRing } from "../../server/keys/ring.ts"

export type OpenedRing = {
  /** Another process's view of the same ring. */
  open(): Promise<RingStorage>
  cleanup(): Promise<void>
}

const start = 1_800_000_000

export function keyRingContract(name: string, create: () => Promise<OpenedRing>): void {
  describe(`the key ring in ${name}`, () => {
    let opened: OpenedRing
    let time: number
    const now = () => time
    beforeEach(async () => {
      time = start
      opened = await create()
    })
    afterEach(() => opened.cleanup())

    const openKeys = async () => openRing(await opened.open(), { now })
    const openStorage = async () => {
      const storage = await opened.open()
      await storage.open()
      return storage
    }
    const maintain = async () => createKeyMaintenance(await opened.open(), { algorithm: "ES256", now })
    const removing = (id: string) => ({ id, removedAt: start })

    it("is empty before the first change, and complete after it for every reader", async () => {
      const [one, other] = [await openStorage(), await openStorage()]
      expect(await one.read()).toEqual({ number: 0, ring: emptyRing })
      const ring = { ...emptyRing, id: "ab".repeat(16), removed: [removing("a")] }
      const first = await one.update(() => ring)
      expect(first).toEqual({ number: 1, ring })
      expect(await other.read()).toEqual(first)
      // A poll returns the known version, so that no key is loaded again.
      expect(await other.read(first)).toBe(first)
    })

    it("changes nothing when a change returns its argument", async () => {
      const storage = await openStorage()
      const { number } = await storage.update((ring) => ({ ...ring, id: "ab".repeat(16) }))
      expect((await storage.update((ring) => ring)).number).toBe(number)
      expect((await storage.read()).number).toBe(number)
    })

    it("loses none of many concurrent changes", async () => {
      const storages = await Promise.all(Array.from({ length: 4 }, openStorage))
      await storages[0]?.update((ring) => ({ ...ring, id: "ab".repeat(16) }))
      await Promise.all(
        storages.map((storage, at) =>
          storage.update((ring) => ({ ...ring, removed: [...ring.removed, removing(`key-${at}`)] })),
        ),
      )
      const { number, ring } = await (await openStorage()).read()
      expect(number).toBe(5)
      expect(ring.removed.map(({ id }) => id).sort()).toEqual(storages.map((_, at) => `key-${at}`))
    })

    it("gives processes that start together one ring, and keeps its id after a removal", async () => {
      const all = await Promise.all(Array.from({ length: 4 }, openKeys))
      expect(new Set(all.map((keys) => keys.ringId())).size).toBe(1)
      expect(new Set(all.map((keys) => JSON.stringify(keys.jwks()))).size).toBe(1)
      const [keys] = all
      const kid = String(keys?.jwks().keys[0]?.kid)
      expect(await (await maintain()).remove(kid)).toBe(true)
      // The books remember the id: with another one, no process would start again.
      expect((await openKeys()).ringId()).toBe(keys?.ringId())
    })

    it("KEY-05: signs with no key that another process does not know yet", async () => {
      const [one, other] = [await openKeys(), await openKeys()]
      time += 60
      expect(await (await maintain()).rotate()).toMatchObject({ waitSeconds: 0 })
      await one.refresh()
      const claims = {
        ...{ iss: "https://a.example", aud: "https://a.example", sub: "a", client_id: "a" },
        ...{ iat: time, exp: time + 300, jti: "j", scope: "s", grant: "g", granted_at: time },
        ...{ offer: "o", settled: true, paid: true, metered: false },
      }
      const token = await one.sign(claims)
      expect(JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid).toBe(
        other.jwks().keys[1]?.kid,
      )
      // The other has not read the new ring, yet it knows the key.
      expect(await other.verify(token)).toBeDefined()
      await other.refresh()
      expect(other.jwks()).toEqual(one.jwks())
    })
  })
}
