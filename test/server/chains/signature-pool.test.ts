import { afterEach, describe, expect, it } from "vitest"
import {
  createSignaturePool,
  type SignaturePool,
  type SignaturePoolOptions,
} from "../../../server/chains/signature-pool.ts"
import { Overloaded, ThreadFailed } from "../../../server/ports/runtime.ts"
import { keccak256, lowerAddress, stringToBytes } from "../../../shared/values/evm.ts"
import { randomAccount } from "../../support/payments.ts"

const log = { debug() {}, info() {}, warn() {}, error() {} }
const digest = keccak256(stringToBytes("a ticket"))
const junk = `0x${"11".repeat(64)}1b` as const

let pool: SignaturePool
const open = (options: SignaturePoolOptions = {}): SignaturePool => {
  pool = createSignaturePool(log, options)
  return pool
}
afterEach(() => pool.close())

/** A thread that answers, throws, exits or hangs, depending on the digest. */
const faultyThread = `data:text/javascript,${encodeURIComponent(`
export const recoverTask = ({ digest }) => {
  if (digest === "0xdead") setImmediate(() => { throw new Error("dead") })
  else if (digest === "0x0e") process.exit(0)
  else if (digest !== "0x5100") return "0xgood"
  return new Promise(() => {})
}`)}`

describe("the signature pool", () => {
  it("returns the signer's address, or undefined for an invalid signature", async () => {
    const account = randomAccount()
    const { recover } = open()
    expect(await recover(digest, await account.sign({ hash: digest }))).toBe(lowerAddress(account.address))
    expect(await recover(digest, `0x${"ff".repeat(64)}1b`)).toBeUndefined()
    expect(await recover(digest, junk)).toBeUndefined()
  })

  it("DOS-01: rejects checks above its queue length at once", async () => {
    const { recover } = open({ waiting: 4 })
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => recover(digest, junk)))
    const refused = answers.filter((answer) => answer.status === "rejected")
    expect(refused.every(({ reason }) => reason instanceof Overloaded)).toBe(true)
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(4)
    expect(refused.length).toBeGreaterThanOrEqual(40)
    expect(await recover(digest, await randomAccount().sign({ hash: digest }))).toBeDefined()
  })

  it("replaces a thread that throws, exits or hangs and fails only its own check", async () => {
    const { recover } = open({ module: faultyThread, timeoutMs: 1000 })
    for (const fault of ["0xdead", "0x0e", "0x5100"] as const) {
      await expect(recover(fault, "0x"), fault).rejects.toBeInstanceOf(ThreadFailed)
      await expect
        .poll(() => recover("0x01", "0x").catch(() => undefined), { timeout: 10_000 })
        .toBe("0xgood")
    }
  })

  it("rejects a check when its thread cannot start", async () => {
    const { recover } = open({ module: "data:text/javascript,throw 1", timeoutMs: 500 })
    await expect(recover(digest, junk)).rejects.toBeInstanceOf(ThreadFailed)
  })

  it("rejects checks once it is closed", async () => {
    const { recover, close } = open()
    await close()
    await expect(recover(digest, junk)).rejects.toBeInstanceOf(Overloaded)
  })
})
