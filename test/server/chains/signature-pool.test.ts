import { afterEach, describe, expect, it } from "vitest"
import {
  createSignaturePool,
  type SignaturePool,
  type SignaturePoolOptions,
} from "../../../server/chains/signature-pool.ts"
import { Overloaded } from "../../../server/ports/runtime.ts"
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

/** A thread that answers, dies of an error, ends without a word, or never answers, as the digest says. */
const moody = `data:text/javascript,${encodeURIComponent(`
export const recoverTask = ({ digest }) => {
  if (digest === "0xdead") setImmediate(() => { throw new Error("dead") })
  else if (digest === "0x0e") process.exit(0)
  else if (digest !== "0x5100") return "0xgood"
  return new Promise(() => {})
}`)}`

describe("the signature pool", () => {
  it("tells who signed, and that nobody did", async () => {
    const account = randomAccount()
    const { recover } = open()
    expect(await recover(digest, await account.sign({ hash: digest }))).toBe(lowerAddress(account.address))
    expect(await recover(digest, `0x${"ff".repeat(64)}1b`)).toBeUndefined()
    expect(await recover(digest, junk)).toBeUndefined()
  })

  it("DOS-01: takes on no more than may wait, and says so at once", async () => {
    const { recover } = open({ waiting: 4 })
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => recover(digest, junk)))
    const refused = answers.filter((answer) => answer.status === "rejected")
    expect(refused.every(({ reason }) => reason instanceof Overloaded)).toBe(true)
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(4)
    expect(refused.length).toBeGreaterThanOrEqual(40)
    expect(await recover(digest, await randomAccount().sign({ hash: digest }))).toBeDefined()
  })

  it("a thread that dies, ends or hangs fails its own check only; a new one takes the next", async () => {
    const { recover } = open({ module: moody, timeoutMs: 1000 })
    for (const fate of ["0xdead", "0x0e", "0x5100"] as const) {
      await expect(recover(fate, "0x"), fate).rejects.toBeInstanceOf(Overloaded)
      await expect
        .poll(() => recover("0x01", "0x").catch(() => undefined), { timeout: 10_000 })
        .toBe("0xgood")
    }
  })

  it("a thread that cannot start leaves nobody waiting", async () => {
    const { recover } = open({ module: "data:text/javascript,throw 1", timeoutMs: 500 })
    await expect(recover(digest, junk)).rejects.toBeInstanceOf(Overloaded)
  })

  it("refuses when it is closed", async () => {
    const { recover, close } = open()
    await close()
    await expect(recover(digest, junk)).rejects.toBeInstanceOf(Overloaded)
  })
})
