import fc from "fast-check"
import { hashTypedData } from "viem"
import { expect, it } from "vitest"
import { createTypedDataHash } from "../../shared/values/typed-data.ts"

const members = [
  { name: "from", type: "address" },
  { name: "value", type: "uint256" },
  { name: "nonce", type: "bytes32" },
] as const
const hash = createTypedDataHash("Payment", members)

const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value): `0x${string}` => `0x${Buffer.from(value).toString("hex")}`)
const domains = fc.record({
  // viem leaves an empty member out of the domain.
  name: fc.string({ unit: "grapheme", minLength: 1 }),
  version: fc.string({ minLength: 1 }),
  chainId: fc.nat(),
  verifyingContract: hex(20),
})
const messages = fc.record({ from: hex(20), value: fc.bigInt(0n, 2n ** 256n - 1n), nonce: hex(32) })

it("a struct has the digest that EIP-712 gives it, under any domain", () => {
  fc.assert(
    fc.property(domains, fc.array(messages, { minLength: 1, maxLength: 3 }), (domain, batch) => {
      for (const message of batch)
        expect(hash(domain, message)).toBe(
          hashTypedData({ domain, types: { Payment: members }, primaryType: "Payment", message }),
        )
    }),
    { numRuns: 200 },
  )
})
