/** The encryption of a ring in the database, and the keys that it is encrypted under. */
import { randomBytes } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { parseConfig } from "../../../server/config/config.ts"
import {
  createRingFile,
  KeyFileError,
  openKeys,
  openRing,
  openRingDatabase,
} from "../../../server/keys/index.ts"
import { createKeyMaintenance } from "../../../server/keys/key-maintenance.ts"
import type { Store } from "../../../server/ports/store.ts"
import { openStore } from "../../../server/stores/index.ts"
import { configInput } from "../../support/offers.ts"

const grantId = Buffer.alloc(16, 7).toString("base64url")
const newKey = () => randomBytes(32).toString("hex")
let folder: string
let store: Store
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "encrypted-"))
  store = await openStore("memory:")
})
afterEach(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

/** Writes a key-encryption key to a file of its own. */
async function writeKey(name: string, text = newKey()): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, text, { mode: 0o600 })
  return file
}
const open = async (...files: readonly string[]) =>
  openRing(await openRingDatabase(store, { keyEncryptionKeyFile: files }))
const maintain = async (...files: readonly string[]) =>
  createKeyMaintenance(await openRingDatabase(store, { keyEncryptionKeyFile: files }), {
    algorithm: "ES256",
    now: () => Math.floor(Date.now() / 1000),
  })
const sealed = async () => String((await store.keyRing()).sealed)

describe("a key ring in the database", () => {
  it("KEY-16: shows none of its keys, only the ids of the ring and of its encryption key", async () => {
    const key = newKey()
    const keys = await open(await writeKey("a", key))
    const text = await sealed()
    const [version, keyId, ringId, cipherText = ""] = text.split(".")
    expect([version, ringId]).toEqual(["1", keys.ringId()])
    expect(keyId).toMatch(/^[0-9a-f]{16}$/)
    expect(key).not.toContain(keyId)
    const bytes = Buffer.from(cipherText, "base64url").toString("latin1")
    for (const word of ['"access"', '"jwk"', '"secret"', String(keys.jwks().keys[0]?.kid)])
      expect(bytes).not.toContain(word)
  })

  it("KEY-16: refuses another encryption key, and names both", async () => {
    const first = await writeKey("a")
    await open(first)
    const wanted =
      /found a key ring under the key-encryption key [0-9a-f]{16}, wanted [0-9a-f]{16}; start with/
    await expect(open(await writeKey("b"))).rejects.toThrow(wanted)
    await expect(open(await writeKey("c"))).rejects.toThrow(KeyFileError)
    await expect(open(first)).resolves.toBeDefined()
  })

  it("KEY-16: refuses a ring that was changed, or put in the place of a newer version", async () => {
    const file = await writeKey("a")
    await open(file)
    const first = await sealed()
    await (await maintain(file)).rewrap()
    const { number } = await store.keyRing()
    const at = first.length - 5
    const changed = `${first.slice(0, at)}${first[at] === "A" ? "B" : "A"}${first.slice(at + 1)}`
    for (const each of [first, changed, first.replace(/\.[0-9a-f]{32}\./, `.${"0".repeat(32)}.`)]) {
      await store.replaceKeyRing({ known: (await store.keyRing()).number, sealed: each })
      await expect(open(file)).rejects.toThrow("that was changed or moved")
    }
    expect(number).toBe(2)
    await store.replaceKeyRing({ known: (await store.keyRing()).number, sealed: "{}" })
    await expect(open(file)).rejects.toThrow("wanted an encrypted key ring")
  })

  it("moves to a new encryption key while instances run, and keeps every key", async () => {
    const [old, fresh] = [await writeKey("old"), await writeKey("new")]
    const running = await open(old, fresh)
    const token = running.refreshToken(grantId, 1)
    await (await maintain(fresh, old)).rewrap()
    await running.refresh()
    expect(running.readRefreshToken(token)).toEqual({ grantId, generation: 1 })
    const after = await open(fresh)
    expect(after.jwks()).toEqual(running.jwks())
    await expect(open(old)).rejects.toThrow(KeyFileError)
  })

  it("takes over the keys of a folder, once", async () => {
    const before = await openKeys(join(folder, "keys"))
    const file = await writeKey("a")
    const source = createRingFile(join(folder, "keys"))
    await (await maintain(file)).importFrom(source)
    const after = await open(file)
    expect(after.ringId()).toBe(before.ringId())
    expect(after.readRefreshToken(before.refreshToken(grantId, 3))).toEqual({ grantId, generation: 3 })
    const imported = await sealed()
    await expect((await maintain(file)).importFrom(source)).rejects.toThrow(
      "database: found keys, wanted none",
    )
    expect(await sealed()).toBe(imported)
    await expect((await maintain(file)).importFrom(createRingFile(join(folder, "empty")))).rejects.toThrow(
      "found no keys",
    )
  })
})

describe("a key-encryption key", () => {
  it("KEY-16: is refused when it is missing, guessable or of the wrong form, and is not shown", async () => {
    await expect(open()).rejects.toThrow('found "database" without a key-encryption key, wanted')
    await expect(open(join(folder, "none"))).rejects.toThrow("found no file, wanted one of 32 random bytes")
    await expect(open(await writeKey("a", "00".repeat(32)))).rejects.toThrow("can be guessed")
    const wrong = open(await writeKey("b", "hunter2"))
    await expect(wrong).rejects.toThrow("wanted 32 random bytes in hex")
    await expect(wrong).rejects.not.toThrow("hunter2")
  })

  it("comes from the environment, where it is deleted", async () => {
    const [old, fresh] = [newKey(), newKey()]
    const environment: Record<string, string | undefined> = { TICKET402_KEY_ENCRYPTION_KEY: old }
    const keys = await openRing(await openRingDatabase(store, {}, environment))
    expect(environment).toEqual({})
    const both = { TICKET402_KEY_ENCRYPTION_KEY: `${fresh},${old}` }
    const again = await openRing(await openRingDatabase(store, {}, both))
    expect(again.jwks()).toEqual(keys.jwks())
  })

  it("is refused beside a folder of keys", () => {
    expect(() => parseConfig(configInput({ keyEncryptionKeyFile: "a" }))).toThrow(
      'keyEncryptionKeyFile: found one beside a folder of keys, wanted "keys": "database"',
    )
  })
})
