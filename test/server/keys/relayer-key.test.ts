/** Relayer keys as containers mount them, and from the environment. */
import { execFileSync, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { chmod, mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeEach, describe, expect, it } from "vitest"
import { KeyFileError, openKeys, openRelayerKey, openRelayerKeys } from "../../../server/keys/index.ts"
import { isReadOnly } from "../../../server/keys/mounted-secret.ts"

const privateKey = `0x${randomBytes(32).toString("hex")}` as const
let folder: string
let file: string
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "relayer-")))
  file = join(folder, "relayer.key")
})

const write = (path: string, mode: number) => writeFile(path, privateKey, { mode })
const opened = { privateKey, created: false }

/** A folder as Kubernetes mounts a secret: `relayer.key` leads through `..data` to the version of the day. */
async function mountSecret(version: string, mode = 0o440): Promise<void> {
  await mkdir(join(folder, version), { mode: 0o755 })
  await write(join(folder, version, "relayer.key"), mode)
  await symlink(version, join(folder, "..data.new"))
  await rename(join(folder, "..data.new"), join(folder, "..data"))
}

describe("a relayer key file", () => {
  it.each([0o400, 0o440, 0o600, 0o640])("KEY-01: opens at mode %o", async (mode) => {
    await write(file, mode)
    expect(await openRelayerKey(file)).toEqual(opened)
  })

  it.each([0o444, 0o644, 0o660, 0o602])("KEY-01: is refused at mode %o on a disk", async (mode) => {
    await write(file, 0o600)
    await chmod(file, mode)
    const wanted = `found mode 0${mode.toString(8)}, wanted 0600, 0440 or on a read-only mount 0444`
    await expect(openRelayerKey(file)).rejects.toThrow(wanted)
  })

  it("KEY-01: opens behind the links of a mounted secret, before and after its change", async () => {
    await mountSecret("..2026_11_28")
    await symlink(join("..data", "relayer.key"), file)
    expect(await openRelayerKey(file)).toEqual(opened)
    await mountSecret("..2026_11_29")
    await rm(join(folder, "..2026_11_28"), { recursive: true })
    expect(await openRelayerKey(file)).toEqual(opened)
  })

  it("KEY-01: is refused behind a link out of its folder, or to nothing", async () => {
    const other = join(await mkdtemp(join(tmpdir(), "elsewhere-")), "relayer.key")
    await write(other, 0o600)
    await symlink(other, file)
    await expect(openRelayerKey(file)).rejects.toThrow(/found a symbolic link out of its folder/)
    await rm(other)
    await expect(openRelayerKey(file)).rejects.toThrow(/found a link to nothing/)
  })

  it.each(["", "..2026"])("KEY-01: is refused where others may write to folder %j", async (open) => {
    await mountSecret("..2026")
    await symlink(join("..data", "relayer.key"), file)
    await chmod(join(folder, open), 0o1777)
    await expect(openRelayerKey(file)).rejects.toThrow(
      /a folder of mode 0777, wanted one that only its owner/,
    )
    await chmod(join(folder, open), 0o770)
    await expect(openRelayerKey(file)).rejects.toThrow(KeyFileError)
  })

  it("is refused in one sentence where its folder is a file", async () => {
    await write(join(folder, "secrets"), 0o600)
    const inside = join(folder, "secrets", "relayer.key")
    await expect(openRelayerKey(inside)).rejects.toThrow(/cannot be read \(ENOTDIR\), wanted a file/)
    const deep = join(folder, "secrets", "deep")
    await expect(openKeys(deep)).rejects.toThrow(/cannot be created \(ENOTDIR\), wanted a folder/)
  })
})

describe("a read-only mount", () => {
  it.each([
    ["36 35 98:0 / /run/secrets ro,noexec master:1 - tmpfs tmpfs rw,size=4k", true],
    ["36 35 98:0 / /run/secrets rw,relatime - tmpfs tmpfs ro", true],
    ["36 35 98:0 / /ro rw,relatime - ext4 /dev/ro rw,errors=remount-ro", false],
    ["", false],
  ])("is read from the kernel's line %j as %s", (line, readOnly) => {
    expect(isReadOnly(line)).toBe(readOnly)
  })

  const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0
  it.skipIf(!canMount)("KEY-01: opens a key that everybody may read, behind any folder", async () => {
    await mountSecret("..2026", 0o444)
    await symlink(join("..data", "relayer.key"), file)
    await chmod(folder, 0o1777)
    const program = `
      import { openRelayerKey } from ${JSON.stringify(join(process.cwd(), "server/keys/relayer-key.ts"))}
      console.log(JSON.stringify(await openRelayerKey(${JSON.stringify(file)})))`
    const mount = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"`
    const run = `${mount} && exec "$1" --import tsx --input-type=module -e "$2"`
    const answer = execFileSync("unshare", ["-rm", "sh", "-c", run, folder, process.execPath, program])
    expect(JSON.parse(String(answer))).toEqual(opened)
    await expect(openRelayerKey(file)).rejects.toThrow(KeyFileError)
  })
})

describe("a relayer key in the environment", () => {
  it("KEY-02: comes before the file, warns, and is deleted", async () => {
    const environment: Record<string, string | undefined> = { TICKET402_RELAYER_KEY: `${privateKey}\n` }
    const warnings: string[] = []
    const log = { warn: (_: object, message: string) => void warnings.push(message) }
    expect(await openRelayerKeys(file, { environment, log })).toEqual([opened])
    expect(environment).toEqual({})
    expect(warnings).toEqual([expect.stringMatching(/a file is safer/)])
    expect(await openRelayerKeys(file, { environment, log })).toEqual([
      { privateKey: expect.not.stringMatching(privateKey), created: true },
    ])
  })

  it("KEY-04: is refused when it can be guessed, and is not shown", async () => {
    const environment = { TICKET402_RELAYER_KEY: "hunter2" }
    await expect(openRelayerKeys(file, { environment })).rejects.toThrow(
      /^TICKET402_RELAYER_KEY: wanted a private key of 32 bytes in hex$/,
    )
    expect(environment).toEqual({})
  })
})
