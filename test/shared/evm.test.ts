import { readFileSync } from "node:fs"
import fc from "fast-check"
import { privateKeyToAccount } from "viem/accounts"
import { describe, expect, it } from "vitest"
import { networks } from "../../shared/networks/index.ts"
import { domainOf } from "../../shared/networks/network.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { SignedTransfer } from "../../shared/schemes/scheme.ts"
import {
  type Address,
  domainSeparator,
  type Hex,
  isCanonicalSignature,
  parseAddress,
  recoverSigner,
} from "../../shared/values/evm.ts"
import { commitmentNonce, openingOf } from "../../shared/x402/commitment.ts"
import { spellings } from "../support/spellings.ts"

const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"))

describe("the commitment", () => {
  it("matches every published vector", () => {
    const { vectors } = load("commitment")
    expect(vectors.length).toBe(4)
    for (const vector of vectors) {
      expect(openingOf(vector.secret)).toBe(vector.opening)
      expect(commitmentNonce(vector.opening, vector)).toBe(vector.nonce)
    }
  })
})

describe("the scheme exact with EIP-3009", () => {
  const vectors = load("x402-evm-vectors")
  const spec = vectors.A_spec_example_eip3009
  const transferOf = ({ authorization, signature }: typeof spec): SignedTransfer =>
    exactEip3009.parse({ authorization, signature })

  it("verifies the x402 specification's example under its asset's domain", async () => {
    expect(domainSeparator(spec.domain)).toBe(spec.domainSeparator)
    const baseSepolia = networks.get("eip155:84532")!
    expect(domainOf(baseSepolia, baseSepolia.assets[0]!)).toEqual(spec.domain)
    expect(await exactEip3009.verify(transferOf(spec), spec.domain, recoverSigner)).toBe("valid")
    const wrongName = { ...spec.domain, name: "USD Coin" }
    expect(await exactEip3009.verify(transferOf(spec), wrongName, recoverSigner)).toBe("signature_invalid")
  })

  it("signs the published vector to the same bytes", async () => {
    const vector = vectors.B_anvil0_eip3009
    const terms = transferOf(vector)
    const signature = await exactEip3009.sign(terms, vector.domain, privateKeyToAccount(vector.privateKey))
    expect(signature).toBe(vector.signature)
    expect(await exactEip3009.verify(terms, vector.domain, recoverSigner)).toBe("valid")
  })

  it("RPL-09, RPL-10: accepts one of the four spellings of a signature", async () => {
    const transfer = transferOf(spec)
    const all = spellings(transfer.signature)
    const verdicts = await Promise.all(
      all.map((signature) => exactEip3009.verify({ ...transfer, signature }, spec.domain, recoverSigner)),
    )
    expect(verdicts).toEqual([
      "valid",
      "signature_not_canonical",
      "signature_not_canonical",
      "signature_not_canonical",
    ])
  })

  it("RPL-12, PRS-16, N-2098-1: refuses malformed signatures without throwing", async () => {
    const transfer = transferOf(spec)
    const others: Hex[] = [
      "0x",
      "0x00",
      `0x${"00".repeat(65)}`,
      `0x${"ff".repeat(65)}`,
      transfer.signature.slice(0, 130) as Hex,
      `${transfer.signature}00`,
    ]
    others.push(`0x${"64926492".repeat(20)}`, `0x${"00".repeat(32)}${"00".repeat(31)}011b`)
    for (const signature of others)
      expect(await exactEip3009.verify({ ...transfer, signature }, spec.domain, recoverSigner)).not.toBe(
        "valid",
      )
  })

  it("RPL-13: derives one redemption key from any spelling of an authorization", () => {
    const mixCase = (text: string, flips: boolean[]) =>
      [...text].map((c, i) => (i > 1 && flips[i % flips.length] ? c.toUpperCase() : c)).join("")
    const flips = fc.array(fc.boolean(), { minLength: 1, maxLength: 64 })
    const key = exactEip3009.redemptionKey(84532, spec.domain.verifyingContract, transferOf(spec))
    fc.assert(
      fc.property(flips, fc.boolean(), fc.boolean(), (nonceFlips, upperFrom, upperAsset) => {
        const { from, nonce } = spec.authorization
        const authorization = {
          ...spec.authorization,
          nonce: mixCase(nonce, nonceFlips),
          from: upperFrom ? `0x${from.slice(2).toUpperCase()}` : from.toLowerCase(),
        }
        const asset = upperAsset ? spec.domain.verifyingContract : spec.domain.verifyingContract.toLowerCase()
        expect(exactEip3009.redemptionKey(84532, asset, transferOf({ ...spec, authorization }))).toBe(key)
      }),
    )
  })

  it("RPL-08, PRS-08, PRS-09, PRS-10: refuses members that are not canonical strings", () => {
    const change = (member: string, value: unknown) => () =>
      exactEip3009.parse({
        signature: spec.signature,
        authorization: { ...spec.authorization, [member]: value },
      })
    for (const value of ["0x2710", "0010000", " 10000 ", 10000, "1e4", "", true, [], null, 2n ** 70n, "-1"])
      expect(change("value", value)).toThrow(/payload\.authorization\.value/)
    for (const value of [
      "0x",
      "0x0",
      spec.authorization.nonce.slice(2),
      `${spec.authorization.nonce}00`,
      `${spec.authorization.nonce.slice(0, -2)}`,
      `${spec.authorization.nonce.slice(0, -2)}\u0000a`,
    ])
      expect(change("nonce", value)).toThrow(/nonce/)
    for (const value of [
      "vitalik.eth",
      "XE7338O073KYGTWWZN0F2WZ0R8PX5ZPPZS",
      `0X${"a".repeat(40)}`,
      `0x${"a".repeat(38)}`,
      `0x${"a".repeat(42)}`,
      7,
    ])
      expect(change("from", value)).toThrow(/from|payload/)
    expect(change("extra", "1")).toThrow()
    expect(() => exactEip3009.parse({ ...spec, signature: spec.signature })).toThrow()
  })

  it("WL-02: accepts addresses of 20 bytes and refuses a wrong EIP-55 checksum", () => {
    const checksummed = spec.authorization.from
    const lower = checksummed.toLowerCase()
    expect(parseAddress(checksummed)).toBe(lower)
    expect(parseAddress(lower)).toBe(lower)
    expect(parseAddress(`0x${lower.slice(2).toUpperCase()}`)).toBe(lower)
    const swapped = checksummed.replace(/[a-f]/, (letter: string) => letter.toUpperCase())
    expect(parseAddress(swapped)).toBeUndefined()
  })

  it("N-3009-3: counts only a Transfer in the log after AuthorizationUsed as paid", () => {
    const transfer = transferOf(spec)
    const asset: Address = spec.domain.verifyingContract
    const [used, transferred] = logsOf(transfer, asset)
    const outcome = (logs: ReturnType<typeof logsOf>) => exactEip3009.outcome(logs, asset, transfer).kind
    expect(outcome([used!, transferred!])).toBe("paid")
    expect(outcome([])).toBe("silent")
    expect(outcome([transferred!])).toBe("silent")
    expect(outcome([used!])).toBe("diverted")
    expect(
      outcome([
        { ...transferred!, logIndex: 0 },
        { ...used!, logIndex: 1 },
      ]),
    ).toBe("diverted")
    expect(outcome([used!, { ...transferred!, data: `0x${"0".repeat(63)}1` }])).toBe("short")
    expect(outcome([used!, { ...transferred!, address: `0x${"1".repeat(40)}` }])).toBe("diverted")
    const another = { ...used!, topics: [used!.topics[0]!, used!.topics[1]!, `0x${"9".repeat(64)}` as Hex] }
    expect(outcome([used!, { ...another, logIndex: 1 }, { ...transferred!, logIndex: 2 }])).toBe("diverted")
  })

  function logsOf(transfer: SignedTransfer, address: Address) {
    const pad = (hex: string): Hex => `0x${hex.slice(2).padStart(64, "0")}`
    const [usedTopic, cancelledTopic] = exactEip3009.outcomeLogs(address, transfer).topics[0] as Hex[]
    expect(cancelledTopic).toMatch(/^0x1cdd46ff/)
    return [
      { address, topics: [usedTopic!, pad(transfer.payer), transfer.nonce], data: "0x" as Hex, logIndex: 0 },
      {
        address,
        topics: [
          "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef" as Hex,
          pad(transfer.payer),
          pad(transfer.payTo),
        ],
        data: pad(`0x${transfer.value.toString(16)}`),
        logIndex: 1,
      },
    ]
  }
})

describe("a canonical signature", () => {
  it("has 65 bytes, a low s and v 27 or 28", () => {
    expect(isCanonicalSignature(`0x${"11".repeat(64)}1b`)).toBe(true)
    expect(isCanonicalSignature(`0x${"11".repeat(64)}1d`)).toBe(false)
    expect(isCanonicalSignature(`0x${"11".repeat(32)}${"ff".repeat(32)}1b`)).toBe(false)
    expect(isCanonicalSignature(`0x${"11".repeat(32)}${"00".repeat(32)}1b`)).toBe(false)
  })
})
