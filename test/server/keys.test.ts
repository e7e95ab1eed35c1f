import { chmod, mkdtemp, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { KeyFileError, openKeys, openRelayerKey } from "../../server/keys/index.ts"

const newFolder = () => mkdtemp(join(tmpdir(), "keys-"))
const grantId = Buffer.alloc(16, 7).toString("base64url")

describe("the keys", () => {
  it("KEY-01: are created once, for their owner only, and found again", async () => {
    const folder = join(await newFolder(), "keys")
    const first = await openKeys(folder)
    const files = await readdir(folder)
    expect(files.sort()).toEqual(["access-token.jwk", "refresh-token.key"])
    for (const file of files) expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    const second = await openKeys(folder)
    expect(second.jwks()).toEqual(first.jwks())
    expect(second.refreshToken(grantId, 1)).toBe(first.refreshToken(grantId, 1))
  })

  it("KEY-01: a file that others can read, or a link, is refused with what was found and wanted", async () => {
    const folder = await newFolder()
    await openKeys(folder)
    await chmod(join(folder, "refresh-token.key"), 0o640)
    await expect(openKeys(folder)).rejects.toThrow(/refresh-token\.key: found mode 0640, wanted 0600/)
    const linked = await newFolder()
    await symlink(join(folder, "access-token.jwk"), join(linked, "access-token.jwk"))
    await expect(openKeys(linked)).rejects.toThrow(/symbolic link/)
  })

  it("KEY-14: a file that is swapped while it is read is either trusted or refused, never half of each", async () => {
    const folder = await newFolder()
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

  it("a file with other content is refused without showing it", async () => {
    const folder = await newFolder()
    await writeFile(join(folder, "access-token.jwk"), '{"kty":"oct","k":"hunter2"}', { mode: 0o600 })
    await expect(openKeys(folder)).rejects.toThrow(/wanted a private EC key/)
    await expect(openKeys(folder)).rejects.not.toThrow(/hunter2/)
    const relayer = join(folder, "relayer.key")
    await writeFile(relayer, "changeme", { mode: 0o600 })
    await expect(openRelayerKey(relayer)).rejects.toThrow(/wanted a private key of 32 bytes/)
  })

  it("two processes that start at once agree on one key", async () => {
    const folder = await newFolder()
    const all = await Promise.all(Array.from({ length: 8 }, () => openKeys(folder)))
    expect(new Set(all.map((keys) => JSON.stringify(keys.jwks()))).size).toBe(1)
    expect(new Set(all.map((keys) => keys.refreshToken(grantId, 0))).size).toBe(1)
    expect((await readdir(folder)).length).toBe(2)
  })

  it("a relayer key is created when missing", async () => {
    const file = join(await newFolder(), "deep", "relayer.key")
    const { privateKey, created } = await openRelayerKey(file)
    expect(created).toBe(true)
    expect(await readFile(file, "utf8")).toBe(privateKey)
    expect(await openRelayerKey(file)).toEqual({ privateKey, created: false })
  })
})

describe("refresh tokens", () => {
  it("carry their grant and generation, and nothing that was not made here is read", async () => {
    const keys = await openKeys(await newFolder())
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
