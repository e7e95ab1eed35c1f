import { renameSync } from "node:fs"
import { chmod, mkdtemp, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { calculateJwkThumbprint, compactVerify, importJWK, type JWK } from "jose"
import { beforeEach, describe, expect, it } from "vitest"
import { KeyFileError, type KeyOptions, openKeys, openRelayerKey } from "../../../server/keys/index.ts"
import { createKeyMaintenance } from "../../../server/keys/key-maintenance.ts"
import type { KeyRing } from "../../../server/keys/ring.ts"
import { accessOverlapSeconds } from "../../../server/keys/ring-changes.ts"
import { createRingFile } from "../../../server/keys/ring-file.ts"
import { type Keys, SignerUnavailable } from "../../../server/ports/keys.ts"
import type { Claims } from "../../../shared/oauth/access-token.ts"
import { readServiceKey } from "../../conformance/forgery.ts"
import { createExternalSigner, readRing } from "../../support/key-folder.ts"

const newFolder = () => mkdtemp(join(tmpdir(), "keys-"))
const grantId = Buffer.alloc(16, 7).toString("base64url")
const issuer = "https://cinema.example"
const start = 1_800_000_000
let time = start
const now = () => time
let folder: string
beforeEach(async () => {
  time = start
  folder = await newFolder()
})

const open = (options: KeyOptions = {}) => openKeys(folder, { now, ...options })
const maintenance = (algorithm: "ES256" | "EdDSA" = "ES256") =>
  createKeyMaintenance(createRingFile(folder), { algorithm, now })
const claims = (): Claims => ({
  iss: issuer,
  aud: issuer,
  sub: "eip155:1:0xabc",
  client_id: "eip155:1:0xabc",
  iat: time,
  exp: time + 300,
  jti: "j",
  scope: "movies:read",
  grant: grantId,
  granted_at: time,
  offer: "hour@00000000",
  settled: true,
  paid: true,
  metered: false,
})
const headerOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0]!, "base64url").toString())
const kidsOf = (keys: Keys) => keys.jwks().keys.map(({ kid }) => kid)
const isGood = async (keys: Keys, token: string) => (await keys.verify(token)) !== undefined
/** Rotates a day later, when the next key is old enough to sign. */
async function rotateADayLater() {
  time += 86_400
  expect(await maintenance().rotate()).toMatchObject({ waitSeconds: 0 })
}
const rewrite = async (change: (ring: KeyRing) => unknown) => {
  const ring = await readRing(folder)
  change(ring)
  await writeFile(join(folder, "ring-1.json"), JSON.stringify(ring))
}

describe("the key folder", () => {
  it("KEY-01: is created once with owner-only modes and found again", async () => {
    folder = join(folder, "keys")
    const first = await open()
    const files = await readdir(folder)
    expect(files).toEqual(["ring-1.json"])
    expect((await stat(join(folder, "ring-1.json"))).mode & 0o777).toBe(0o600)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    const second = await open()
    expect(second.jwks()).toEqual(first.jwks())
    expect(second.refreshToken(grantId, 1)).toBe(first.refreshToken(grantId, 1))
  })

  it("KEY-01: is refused when others can access a file or folder, or one is a link", async () => {
    await open()
    const file = join(folder, "ring-1.json")
    await chmod(file, 0o640)
    await expect(open()).rejects.toThrow(/ring-1\.json: found mode 0640, wanted 0600/)
    await chmod(file, 0o600)
    await chmod(folder, 0o770)
    await expect(open()).rejects.toThrow(/found mode 0770, wanted 0700/)
    await chmod(folder, 0o700)
    const linked = await newFolder()
    await symlink(file, join(linked, "ring-1.json"))
    await expect(openKeys(linked)).rejects.toThrow(/symbolic link/)
    const link = join(await newFolder(), "keys")
    await symlink(folder, link)
    await expect(openKeys(link)).rejects.toThrow(/symbolic link/)
  })

  it("KEY-14: yields the trusted content or a refusal when a file is swapped mid-read", async () => {
    const file = join(folder, "relayer.key")
    const [good, bad] = [`0x${"1".repeat(63)}2`, `0x${"3".repeat(63)}4`]
    await writeFile(file, good, { mode: 0o600 })
    let swapping = true
    const swaps = (async () => {
      for (let turn = 0; swapping; turn++) {
        const draft = join(folder, `draft-${turn}`)
        await writeFile(draft, turn % 2 === 0 ? good : bad, { mode: turn % 2 === 0 ? 0o600 : 0o644 })
        await rename(draft, file)
      }
    })()
    for (let read = 0; read < 300; read++) {
      const key = await openRelayerKey(file).catch((error: unknown) => error)
      if (!(key instanceof KeyFileError)) expect(key).toMatchObject({ privateKey: good })
    }
    swapping = false
    await swaps
  })

  it("KEY-04: a malformed, guessable or damaged ring stops the start and is not shown", async () => {
    await open()
    await rewrite((ring) => {
      ring.refresh[0]!.secret = "00".repeat(32)
    })
    await expect(open()).rejects.toThrow(/found a key that can be guessed/)
    const other = (await readRing(folder)).access[1]!.jwk
    await rewrite((ring) => {
      ring.refresh[0]!.secret = ring.refresh[1]!.secret
      ring.access[0]!.jwk.d = other.d
    })
    await expect(open()).rejects.toThrow(KeyFileError)
    await writeFile(join(folder, "ring-1.json"), '{"access":"hunter2"}')
    await expect(open()).rejects.toThrow(/wanted a key ring/)
    await expect(open()).rejects.not.toThrow(/hunter2/)
    const relayer = join(folder, "relayer.key")
    await writeFile(relayer, "changeme", { mode: 0o600 })
    await expect(openRelayerKey(relayer)).rejects.toThrow(/wanted a private key of 32 bytes/)
  })

  it("gives concurrent processes one ring after starts, rotations and removals", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => open()))
    expect(new Set(all.map((keys) => JSON.stringify(keys.jwks()))).size).toBe(1)
    expect(new Set(all.map((keys) => keys.refreshToken(grantId, 0))).size).toBe(1)
    expect(await readdir(folder)).toEqual(["ring-1.json"])
    time += 86_400
    const asked = await Promise.all(Array.from({ length: 8 }, () => maintenance().rotate()))
    // One process rotated; the others found the next key too young.
    expect(asked.filter(({ waitSeconds }) => waitSeconds === 0)).toHaveLength(1)
    expect(await readdir(folder)).toEqual(["ring-2.json"])
    const listed = (await maintenance().list()) as { kid: string }[]
    await Promise.all(listed.map(({ kid }) => maintenance().remove(kid)))
    expect((await readRing(folder)).removed.map(({ id }) => id).sort()).toEqual(
      listed.map(({ kid }) => kid).sort(),
    )
    expect(await readdir(folder)).toHaveLength(1)
  })

  it("repeats a change on the newest ring when the ring was replaced meanwhile", async () => {
    await open()
    let tries = 0
    const { number, ring } = await createRingFile(folder).update((found) => {
      tries += 1
      // Two other processes leave a newer number and the next one free.
      if (tries === 1) renameSync(join(folder, "ring-1.json"), join(folder, "ring-3.json"))
      return { ...found, removed: [{ id: `try-${tries}`, removedAt: time }] }
    })
    expect([tries, number, ring.removed]).toEqual([2, 4, [{ id: "try-2", removedAt: time }]])
    expect(await readdir(folder)).toEqual(["ring-4.json"])
  })

  it("creates a missing relayer key", async () => {
    const file = join(folder, "deep", "relayer.key")
    const { privateKey, created } = await openRelayerKey(file)
    expect(created).toBe(true)
    expect(await readFile(file, "utf8")).toBe(privateKey)
    expect(await openRelayerKey(file)).toEqual({ privateKey, created: false })
  })
})

describe.each(["ES256", "EdDSA"] as const)("a ring of %s keys", (algorithm) => {
  it("publishes the signing key and the next one under their thumbprints", async () => {
    const keys = await open({ algorithm })
    const { keys: published } = keys.jwks()
    expect(published).toHaveLength(2)
    for (const jwk of published) {
      expect(jwk).toMatchObject({ alg: algorithm, use: "sig" })
      expect(jwk.d).toBeUndefined()
      expect(jwk.kid).toBe(await calculateJwkThumbprint(jwk as JWK))
    }
    const token = await keys.sign(claims())
    expect(headerOf(token)).toEqual({ alg: algorithm, typ: "at+jwt", kid: published[0]!.kid })
    await compactVerify(token, await importJWK(published[0] as JWK, algorithm))
    expect(await keys.verify(token)).toEqual({ claims: claims(), kid: published[0]!.kid })
  })

  it("TOK-24: accepts tokens of the previous key during the overlap and none after it", async () => {
    const keys = await open({ algorithm })
    const [first, second] = kidsOf(keys)
    time += 86_400
    const old = await keys.sign(claims())
    expect(await maintenance(algorithm).rotate()).toMatchObject({ waitSeconds: 0 })
    await keys.refresh()
    expect(kidsOf(keys)).toEqual([second, first, expect.any(String)])
    expect(headerOf(await keys.sign(claims())).kid).toBe(second)
    time += accessOverlapSeconds - 1
    expect(await isGood(keys, old)).toBe(true)
    expect(keys.isTrusted(String(first))).toBe(true)
    time += 1
    expect(await isGood(keys, old)).toBe(false)
    expect(keys.isTrusted(String(first))).toBe(false)
    expect(kidsOf(keys)).not.toContain(first)
  })

  it("TOK-26: stops trusting a removed key at once in every process", async () => {
    const keys = await open({ algorithm })
    const other = await open({ algorithm })
    const token = await keys.sign(claims())
    const { kid } = headerOf(token)
    time += 60
    expect(await maintenance(algorithm).remove(kid)).toBe(true)
    await Promise.all([keys.refresh(), other.refresh()])
    for (const each of [keys, other]) {
      expect(await isGood(each, token)).toBe(false)
      expect(each.isTrusted(kid)).toBe(false)
      expect(kidsOf(each)).not.toContain(kid)
      expect(each.receiptJwks().keys.map((jwk) => jwk.kid)).not.toContain(kid)
      expect(each.removed()).toEqual([{ kid, removedAt: time }])
    }
    // The next key was known to every process, so it signs at once.
    expect(await isGood(other, await keys.sign(claims()))).toBe(true)
    expect(await maintenance().remove(kid)).toBe(false)
  })
})

describe("a key rotation", () => {
  it("KEY-05: signs with no key that another process does not know yet", async () => {
    const keys = await open()
    expect(await maintenance().rotate()).toEqual({ waitSeconds: 60, own: true })
    time += 59
    expect(await maintenance().rotate()).toEqual({ waitSeconds: 1, own: true })
    time += 1
    const late = await open()
    await maintenance().rotate()
    await keys.refresh()
    // The late process has not read the new ring, yet it knows the key.
    expect(await isGood(late, await keys.sign(claims()))).toBe(true)
    expect(await isGood(keys, await late.sign(claims()))).toBe(true)
    // After an emergency removal no key may be known to all: tokens pause, none is refused.
    for (const { kid } of keys.jwks().keys.slice(0, 1)) await maintenance().remove(String(kid))
    await keys.refresh()
    await expect(keys.sign(claims())).rejects.toThrow(SignerUnavailable)
    expect(() => keys.check()).toThrow(SignerUnavailable)
    await late.refresh()
    time += 5
    expect(await isGood(late, await keys.sign(claims()))).toBe(true)
  })

  it("happens automatically at the set age, in one of the processes", async () => {
    const options = { rotationSeconds: 30 * 86_400 }
    const all = await Promise.all([open(options), open(options), open(options)])
    const [first, second] = kidsOf(all[0]!)
    time += 30 * 86_400 - 1
    await Promise.all(all.map((keys) => keys.refresh()))
    expect(kidsOf(all[0]!)).toEqual([first, second])
    time += 1
    await Promise.all(all.map((keys) => keys.refresh()))
    await Promise.all(all.map((keys) => keys.refresh()))
    for (const keys of all) expect(kidsOf(keys)).toEqual([second, first, expect.any(String)])
    expect(new Set(all.map((keys) => JSON.stringify(keys.jwks()))).size).toBe(1)
  })

  it("publishes a key of another algorithm first and accepts both meanwhile", async () => {
    const keys = await open()
    const old = await keys.sign(claims())
    await open({ algorithm: "EdDSA" })
    await keys.refresh()
    expect(headerOf(await keys.sign(claims())).alg).toBe("ES256")
    expect(keys.jwks().keys.map(({ alg }) => alg)).toEqual(["ES256", "EdDSA"])
    time += 60
    await maintenance("EdDSA").rotate()
    await keys.refresh()
    const fresh = await keys.sign(claims())
    expect(headerOf(fresh).alg).toBe("EdDSA")
    expect([await isGood(keys, old), await isGood(keys, fresh)]).toEqual([true, true])
  })

  it("N-8725-1: takes the algorithm from the key, never from the token", async () => {
    const keys = await open()
    await open({ algorithm: "EdDSA" })
    await keys.refresh()
    const [, payload, signature] = (await keys.sign(claims())).split(".")
    const [es256, eddsa] = keys.jwks().keys
    for (const [alg, kid] of [
      ["EdDSA", es256!.kid],
      ["ES256", eddsa!.kid],
    ]) {
      const header = Buffer.from(JSON.stringify({ alg, typ: "at+jwt", kid })).toString("base64url")
      expect(await isGood(keys, `${header}.${payload}.${signature}`)).toBe(false)
    }
  })

  it.each(["ES256", "EdDSA"] as const)(
    "N-8725-7: accepts claims in one spelling only, even signed by its own %s key",
    async (algorithm) => {
      const keys = await open({ algorithm })
      const key = await readServiceKey(folder)
      const text = JSON.stringify(claims())
      expect(await isGood(keys, await key.sign(text))).toBe(true)
      const twice = `${text.slice(0, -1)},"scope":"everything"}`
      for (const other of [
        twice,
        `\ufeff${text}`,
        Buffer.from(text, "utf16le"),
        Buffer.from([0x7b, 0xe9, 0x7d]),
      ])
        expect(await isGood(keys, await key.sign(other))).toBe(false)
    },
  )

  it("is not undone when the clock is set back", async () => {
    const keys = await open()
    const token = await keys.sign(claims())
    time -= 7200
    expect(await isGood(keys, token)).toBe(true)
    expect(await isGood(keys, await keys.sign(claims()))).toBe(true)
  })

  it("keeps refresh tokens valid until their key is removed", async () => {
    const keys = await open()
    const token = keys.refreshToken(grantId, 3)
    await rotateADayLater()
    await keys.refresh()
    const fresh = keys.refreshToken(grantId, 3)
    expect(fresh).not.toBe(token)
    time += 300 * 86_400
    for (const each of [token, fresh]) expect(keys.readRefreshToken(each)).toEqual({ grantId, generation: 3 })
    const retired = (await readRing(folder)).refresh.find(({ retiredAt }) => retiredAt !== null)!
    await maintenance().remove(retired.id)
    await keys.refresh()
    expect(keys.readRefreshToken(token)).toBeUndefined()
    expect(keys.readRefreshToken(fresh)).toEqual({ grantId, generation: 3 })
  })

  it("deletes the private half of an expired key and keeps the public one for receipts", async () => {
    const keys = await open()
    const [first] = kidsOf(keys)
    await rotateADayLater()
    await rotateADayLater()
    await keys.refresh()
    const ring = await readRing(folder)
    expect(ring.access.map(({ id }) => id)).not.toContain(first)
    expect(ring.retired).toEqual([
      { id: first, alg: "ES256", jwk: expect.not.objectContaining({ d: expect.anything() }) },
    ])
    expect(keys.receiptJwks().keys.map(({ kid }) => kid)).toContain(first)
    expect(JSON.stringify(keys.receiptJwks())).not.toContain('"d"')
  })
})

describe.each(["ES256", "EdDSA"] as const)("an external %s signer", (alg) => {
  it("signs tokens that verify, and its private key is stored nowhere", async () => {
    const signer = createExternalSigner(alg)
    const keys = await open({ signer })
    const token = await keys.sign(claims())
    expect(headerOf(token)).toMatchObject({ alg, kid: signer.kid })
    expect(signer.signed).toBe(2)
    expect(await isGood(await open({ signer }), token)).toBe(true)
    expect((await readRing(folder)).access).toEqual([
      expect.objectContaining({ id: signer.kid, jwk: signer.publicJwk }),
    ])
  })

  it("fails with SignerUnavailable while down, slow or wrong, and recovers", async () => {
    const signer = createExternalSigner(alg)
    const keys = await open({ signer })
    signer.fault = new Error("KMS throttled, request 42")
    await expect(keys.sign(claims())).rejects.toThrow(SignerUnavailable)
    expect(() => keys.check()).toThrow(SignerUnavailable)
    delete signer.fault
    expect(await isGood(keys, await keys.sign(claims()))).toBe(true)
    time += 5
    expect(() => keys.check()).not.toThrow()
    for (const bytes of [new Uint8Array(64).fill(1), new Uint8Array(70), new Uint8Array()]) {
      const wrong = await open({ signer: { ...signer, sign: async () => bytes } }).catch(
        (error: unknown) => error,
      )
      expect(wrong).toBeInstanceOf(KeyFileError)
    }
    // An unavailable signer does not prevent the start.
    signer.fault = new Error("away")
    await expect(open({ signer })).resolves.toBeDefined()
  })
})

describe("a change of the external signer", () => {
  it("lets the old signer finish without any token that outlives it", async () => {
    const [before, after] = [createExternalSigner(), createExternalSigner()]
    const old = await open({ signer: before })
    time += 100
    const fresh = await open({ signer: after })
    await old.refresh()
    // The old process must have read the new key before it signs.
    await expect(fresh.sign(claims())).rejects.toThrow(SignerUnavailable)
    expect(await isGood(fresh, await old.sign(claims()))).toBe(true)
    time += 5
    expect(await isGood(old, await fresh.sign(claims()))).toBe(true)
    expect(await isGood(fresh, await old.sign(claims()))).toBe(true)
    time += accessOverlapSeconds - 299
    await expect(old.sign(claims())).rejects.toThrow(SignerUnavailable)
  })

  it("works back and forth and to own keys, but never to a removed key", async () => {
    const [first, second] = [createExternalSigner(), createExternalSigner()]
    await open({ signer: first })
    await open({ signer: second })
    time += 5
    const back = await open({ signer: first })
    expect(headerOf(await back.sign(claims())).kid).toBe(first.kid)
    const own = await open()
    const token = await back.sign(claims())
    time += 5
    expect(headerOf(await own.sign(claims())).kid).not.toBe(first.kid)
    expect(await isGood(own, token)).toBe(true)
    await maintenance().remove(first.kid)
    await expect(open({ signer: first })).rejects.toThrow(/was removed/)
    const reusedName = { ...createExternalSigner(), kid: second.kid }
    await expect(open({ signer: reusedName })).rejects.toThrow(/another key than before/)
  })

  it("is refused with a private key, another curve or an invalid key id", async () => {
    const signer = createExternalSigner()
    const wrong = [
      { ...signer, publicJwk: { ...signer.publicJwk, d: signer.publicJwk.x ?? "" } },
      { ...signer, alg: "EdDSA" as const },
      { ...signer, kid: "../../etc" },
    ]
    for (const each of wrong) await expect(open({ signer: each })).rejects.toThrow(KeyFileError)
  })
})

describe("refresh tokens", () => {
  it("carry grant and generation, and any altered or foreign token is refused", async () => {
    const keys = await open()
    const token = keys.refreshToken(grantId, 41)
    expect(keys.readRefreshToken(token)).toEqual({ grantId, generation: 41 })
    const [handle, mac] = token.split(".") as [string, string]
    const other = keys.refreshToken(grantId, 42).split(".")[0]
    const spare = `${mac.slice(0, -1)}${String.fromCharCode(mac.charCodeAt(42) + 1)}`
    for (const wrong of [
      "",
      ".",
      handle,
      `${handle}.`,
      `${other}.${mac}`,
      `${token}=`,
      `${token} `,
      `${handle}.${spare}`,
      `${handle}.${"A".repeat(43)}`,
      "x".repeat(10_000),
    ])
      expect(keys.readRefreshToken(wrong), wrong.slice(0, 40)).toBeUndefined()
    const elsewhere = await openKeys(await newFolder())
    expect(elsewhere.readRefreshToken(token)).toBeUndefined()
  })
})
