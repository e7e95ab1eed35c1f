import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { domainOf } from "../../../shared/networks/network.ts"
import { exactEip3009 } from "../../../shared/schemes/exact-eip3009.ts"
import { recoverSigner } from "../../../shared/values/evm.ts"
import { commitmentNonce, openingOf } from "../../../shared/x402/commitment.ts"
import { setup, startedAt } from "../../support/client-setup.ts"
import { hour } from "../../support/fake-origin.ts"

type Vector = {
  secret: `0x${string}`
  opening: string
  offerRef: string
  resource: string
  grant?: string
  nonce: string
}
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8"))
const { vectors } = read("commitment.json") as { vectors: Vector[] }

test.each(vectors)("the nonce for $offerRef at $resource matches the vector", (vector) => {
  const opening = openingOf(vector.secret)
  expect(opening).toBe(vector.opening)
  expect(commitmentNonce(opening, vector)).toBe(vector.nonce)
})

test("the nonce of the first vector matches its literal value", () => {
  expect(
    commitmentNonce("0x02d449a31fbb267c8f352e9968a79e3e5fc95c1bbeaa502fd6454ebde5a4bedc", {
      offerRef: "hour@9f3c2a71",
      resource: "http://127.0.0.1:8402",
    }),
  ).toBe("0xb0ac4df901078c757ba0c019d67ee36ca795d5c76d89b17569c57f48246efd61")
})

test("the x402 specification's signed example is valid under our domain table", async () => {
  const { authorization, signature } = read("x402-evm-vectors.json").A_spec_example_eip3009
  const transfer = exactEip3009.parse({ authorization, signature })
  const [asset] = baseSepolia.assets
  expect(await exactEip3009.verify(transfer, domainOf(baseSepolia, asset), recoverSigner)).toBe("valid")
})

test("a purchase's nonce commits to its secret, offer and resource", async () => {
  const random = (length: number) => new Uint8Array(length).fill(0x11)
  const { client, seller } = await setup({ random })
  await client.fetch(`${seller.url}/movies/7`)
  const opening = openingOf(`0x${"11".repeat(32)}`)
  expect(seller.transfers[0]).toMatchObject({
    nonce: commitmentNonce(opening, { offerRef: hour.ref, resource: seller.url }),
    validBefore: BigInt(startedAt + 600),
  })
})

test("a quote is part of the nonce's commitment", async () => {
  const { client, seller } = await setup({ random: (length) => new Uint8Array(length).fill(0x11) })
  seller.changeEntry = (entry) => ({ ...entry, extra: { ...(entry.extra as object), quote: "AQIDBA" } })
  // The fake token endpoint knows no quotes and rejects the nonce.
  await client.fetch(`${seller.url}/movies/7`).catch(() => {})
  expect(seller.transfers[0]?.nonce).toBe(
    commitmentNonce(openingOf(`0x${"11".repeat(32)}`), {
      offerRef: `${hour.ref}.AQIDBA`,
      resource: seller.url,
    }),
  )
})
