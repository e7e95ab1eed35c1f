import { expect, test } from "vitest"
import { decodeHeader } from "../../../shared/values/codec.ts"
import { paymentPayloadSchema } from "../../../shared/x402/messages.ts"
import { failure, setup, startedAt } from "../../support/client-setup.ts"
import { hour, refuse } from "../../support/fake-origin.ts"

const quoted = { ...hour, quoteSeconds: 900 }
const studio = { ...quoted, ref: "studio@00000002", scope: "write" }

test("QTE-04: a quoted price is bought with its quote under a committed nonce", async () => {
  const { client, seller } = await setup()
  seller.offers = [quoted]
  // The seller checks the commitment.
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  const [purchase] = seller.requestsTo("POST /token")
  const { accepted } = paymentPayloadSchema.parse(
    decodeHeader(String(purchase?.headers["payment-signature"])),
  )
  expect(accepted.extra?.quote).toBe(`until-${startedAt + 900}`)
  expect((await client.spent()).day).toBe("0.01")
})

test("CLI-01: the budget is checked against each 402's quote, not an earlier one", async () => {
  const { client, clock, seller } = await setup()
  seller.offers = [{ ...quoted, durationSeconds: 60 }]
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  seller.offers = [{ ...quoted, amount: "50001" }]
  clock.now += 3600
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({ code: "amount_over_limit" })
  expect(seller.transfers).toHaveLength(1)
})

test("a price that expired while the purchase waited is read again before signing", async () => {
  const { client, clock, seller } = await setup()
  seller.offers = [quoted, studio]
  let answerFirst = (): void => {}
  const first = new Promise<void>((resolve) => {
    answerFirst = resolve
  })
  seller.script("POST /token", async (request, response) => {
    await first
    clock.now += 901
    return seller.router(request, response)
  })
  const reading = client.fetch(`${seller.url}/movies/7`)
  await until(() => seller.requestsTo("POST /token").length === 1)
  const writing = client.fetch(`${seller.url}/write`)
  await until(() => seller.requestsTo("GET /write").length === 1)
  // The second purchase has read its price and waits behind the first.
  await new Promise((resolve) => setImmediate(resolve))
  answerFirst()
  expect([(await reading).status, (await writing).status]).toEqual([200, 200])
  expect(seller.requestsTo("GET /write")).toHaveLength(3)
  expect(seller.transfers).toHaveLength(2)
  expect((await client.spent()).day).toBe("0.02")
})

test("a seller whose prices are always expired gets no signature", async () => {
  const { client, seller } = await setup()
  seller.offers = [{ ...quoted, quoteSeconds: -1 }]
  expect(await failure(client.fetch(`${seller.url}/movies/7`))).toMatchObject({
    code: "price_expired",
    action: "buy",
  })
  expect(seller.requestsTo("GET /movies/7")).toHaveLength(2)
  expect(seller.transfers).toHaveLength(0)
  expect((await client.spent()).day).toBe("0")
})

test("a refused quote is read again and one new signature made", async () => {
  const { client, seller } = await setup()
  seller.offers = [quoted]
  seller.script("POST /token", refuse("quote_expired"))
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.requestsTo("POST /token")).toHaveLength(2)
})

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5))
}
