import { readdirSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { findScheme, schemes, transferMethodsOf } from "../../shared/schemes/index.ts"
import type { SignedTransfer } from "../../shared/schemes/scheme.ts"
import type { Hex } from "../../shared/values/evm.ts"

const folder = new URL("../../shared/schemes/", import.meta.url)
const hex = (byte: string, length: number): Hex => `0x${byte.repeat(length)}`
const asset = hex("a5", 20)
const transfer: SignedTransfer = {
  payer: hex("01", 20),
  payTo: hex("02", 20),
  value: 1n,
  validAfter: 0n,
  validBefore: 2_000_000_000n,
  nonce: hex("03", 32),
  signature: hex("04", 65),
}

describe("the index of schemes", () => {
  it("lists every scheme module of the folder", async () => {
    const helpers = ["index.ts", "scheme.ts", "erc20.ts"]
    const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && !helpers.includes(file))
    const modules = await Promise.all(files.map((file) => import(new URL(file, folder).href)))
    expect(modules.flatMap((module) => Object.values(module))).toEqual([...schemes.values()])
  })

  it("finds a scheme by its name and transfer method, and EIP-3009 without a method", () => {
    for (const scheme of schemes.values())
      expect(findScheme(scheme.name, scheme.assetTransferMethod)).toBe(scheme)
    expect(findScheme("exact")).toBe(schemes.get("exact"))
    expect(findScheme("exact", "approve")).toBeUndefined()
    expect(findScheme("upto")).toBeUndefined()
    expect(transferMethodsOf("exact")).toContain("eip3009")
    expect(transferMethodsOf("upto")).toEqual([])
  })
})

describe.each([...schemes.values()])("the scheme $id", (scheme) => {
  it("KEY-08: settles by the target and the selector that it declares", () => {
    const { to, data } = scheme.settlementCall(asset, transfer)
    expect(to).toBe(scheme.settlement.target(asset))
    expect(data.slice(0, 10)).toBe(scheme.settlement.selector)
  })

  it("reads back the payload that it writes", () => {
    expect(scheme.parse(scheme.serialize(transfer, asset), asset)).toEqual(transfer)
  })
})
