import { expect, test } from "vitest"
import { requireAcceptable } from "../../../client/core/policy.ts"
import { BudgetRefusal, PolicyRefusal } from "../../../client/index.ts"
import { readChallenge } from "../../../client/wire/read-challenge.ts"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { networks } from "../../../shared/networks/index.ts"
import { zeroAddress } from "../../../shared/values/evm.ts"
import { failure, setup, startedAt } from "../../support/client-setup.ts"
import { hour, json, usdc } from "../../support/fake-origin.ts"

type Entry = Record<string, unknown> & { extra?: Record<string, unknown> }
const extra = (more: Record<string, unknown>) => (entry: Entry) => ({
  ...entry,
  extra: { ...entry.extra, ...more },
})

test.each<[string, string, (entry: Entry) => unknown]>([
  ["CLI-01", "amount_over_limit", (entry) => ({ ...entry, amount: "50000000" })],
  ["CLI-01", "amount_over_limit", (entry) => ({ ...entry, amount: "50001" })],
  ["CLI-01", "amount_over_limit", (entry) => ({ ...entry, amount: "9".repeat(78) })],
  ["CLI-08", "domain_mismatch", extra({ name: "Evil Coin" })],
  ["CLI-08", "domain_mismatch", extra({ version: "1" })],
  ["CLI-08", "asset_unknown", (entry) => ({ ...entry, asset: `0x${"ab".repeat(20)}` })],
  ["CLI-08", "asset_unknown", (entry) => ({ ...entry, asset: "USDC" })],
  ["CLI-08", "asset_unknown", (entry) => ({ ...entry, asset: baseSepolia.assets[0].address })],
  ["CLI-09", "transfer_method_unknown", extra({ assetTransferMethod: "permit2", spender: zeroAddress })],
  ["CLI-09", "transfer_method_unknown", extra({ assetTransferMethod: "approve" })],
  ["CLI-09", "scheme_unknown", (entry) => ({ ...entry, scheme: "permit" })],
  ["policy", "network_not_allowed", (entry) => ({ ...entry, network: "eip155:1", asset: usdc.address })],
  ["policy", "payment_flow_unknown", extra({ paymentFlow: "later" })],
  ["policy", "offer_unlisted", extra({ offer: "other@00000000" })],
  ["policy", "offer_unlisted", extra({ offer: "toString" })],
  ["policy", "offer_unlisted", extra({ offer: undefined })],
  ["policy", "pay_to_invalid", (entry) => ({ ...entry, payTo: zeroAddress })],
  ["policy", "pay_to_invalid", (entry) => ({ ...entry, payTo: "0x1234" })],
  ["policy", "amount_zero", (entry) => ({ ...entry, amount: "0" })],
  ["policy", "entry_malformed", (entry) => ({ ...entry, amount: "1e4" })],
  ["policy", "entry_malformed", (entry) => ({ ...entry, amount: 10_000 })],
  ["policy", "entry_malformed", (entry) => ({ ...entry, amount: "-1" })],
  ["policy", "entry_malformed", (entry) => ({ ...entry, maxTimeoutSeconds: 0 })],
  ["policy", "entry_malformed", extra({ padding: "x".repeat(5000) })],
  ["policy", "entry_malformed", () => null],
])("%s: %s is refused before anything is signed or sent (%#)", async (_id, rule, dress) => {
  const { client, seller, events, account } = await setup()
  seller.changeEntry = dress as never
  const error = await failure(client.fetch(`${seller.url}/movies/7`))
  expect(error.code).toBe(rule)
  expect(error).toBeInstanceOf(rule === "amount_over_limit" ? BudgetRefusal : PolicyRefusal)
  expect(error.found).toBeTruthy()
  expect(error.wanted).toBeTruthy()
  expect(seller.requestsTo("POST /token")).toEqual([])
  expect((await client.spent()).day).toBe("0")
  expect(events).toEqual([{ type: "refused", origin: seller.url, code: rule }])
  expect(account).toBeDefined()
})

test("a payTo that is the payer is refused", async () => {
  const { client, seller, account } = await setup()
  seller.changeEntry = (entry) => ({ ...entry, payTo: account.address })
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("pay_to_invalid")
})

test.each<[string, (entry: Entry) => unknown]>([
  ["the exact limit", (entry) => ({ ...entry, amount: "50000" })],
  ["no transfer method", extra({ assetTransferMethod: undefined })],
  ["eip3009", extra({ assetTransferMethod: "eip3009" })],
  ["upfront", extra({ paymentFlow: "upfront" })],
  ["no payment flow", extra({ paymentFlow: undefined })],
  ["no name and version", extra({ name: undefined, version: undefined })],
  ["a lower-case asset", (entry) => ({ ...entry, asset: String(entry.asset).toLowerCase() })],
  ["a foreign verifyingContract, which is ignored", extra({ verifyingContract: zeroAddress, chainId: 1 })],
])("control: an entry with %s is paid", async (_name, dress) => {
  const { client, seller } = await setup()
  seller.offers = [{ ...hour, amount: String((dress({ amount: hour.amount }) as Entry).amount) }]
  seller.changeEntry = dress as never
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
  expect(seller.transfers).toHaveLength(1)
})

test("CLI-01: the policy limits one purchase without the budget", async () => {
  const { seller } = await setup()
  const refused = Response.json(seller.challenge("token_missing", "read"), { status: 402 })
  const challenge = (await readChallenge(refused, 1_000))!
  const nothing = { origins: undefined, assets: undefined, payTos: undefined, canApprove: false }
  const rules = { payer: zeroAddress, networks, perPurchase: 10_000n, recipients: [], ...nothing }
  expect(requireAcceptable(challenge, rules)).toMatchObject([{ micros: 10_000n }])
  expect(() => requireAcceptable(challenge, { ...rules, perPurchase: 9_999n })).toThrow(BudgetRefusal)
})

test("CLI-10: a validity of 10^9 seconds is cut to 600", async () => {
  const { client, seller } = await setup()
  seller.changeEntry = (entry) => ({ ...entry, maxTimeoutSeconds: 1_000_000_000 })
  await client.fetch(`${seller.url}/movies/7`)
  expect(seller.transfers[0]?.validBefore).toBe(BigInt(startedAt + 600))
})

test("the cheapest entry is bought, then the longest, in any order of entries", async () => {
  for (const turn of [0, 1, 2]) {
    const { client, seller } = await setup()
    const offers = [
      { ...hour, ref: "dear@00000001", amount: "20000", durationSeconds: 86_400 },
      { ...hour, ref: "short@0000002", amount: "10000", durationSeconds: 600 },
      { ...hour, ref: "long@00000003", amount: "10000", durationSeconds: 7200 },
    ]
    seller.offers = [...offers.slice(turn), ...offers.slice(0, turn)]
    await client.fetch(`${seller.url}/movies/7`)
    expect(seller.grants[0]?.endsAt).toBe(startedAt + 7200)
  }
})

test("one valid entry among invalid ones is bought", async () => {
  const { client, seller } = await setup()
  seller.script("GET /movies/7", (_request, response) => {
    const body = seller.challenge("token_missing", "read")
    json(response, 402, { ...body, accepts: [null, { scheme: "solana" }, ...body.accepts] })
  })
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})

test("entries that did not fit the header are read from the body", async () => {
  const { client, seller } = await setup()
  const { encodeHeader } = await import("../../../shared/values/codec.ts")
  seller.script("GET /movies/7", (_request, response) => {
    const body = seller.challenge("token_missing", "read")
    json(response, 402, body, { "payment-required": encodeHeader({ ...body, accepts: [] }) })
  })
  expect((await client.fetch(`${seller.url}/movies/7`)).status).toBe(200)
})

test("a 402 without entries is refused as nothing_on_offer", async () => {
  const { client, seller } = await setup()
  seller.offers = []
  expect((await failure(client.fetch(`${seller.url}/movies/7`))).code).toBe("nothing_on_offer")
})
