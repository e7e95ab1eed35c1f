import Database from "better-sqlite3"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createClient, verifyReceipt } from "../../client/index.ts"
import { auditBooks } from "../../server/books/audit.ts"
import { openStore } from "../../server/stores/index.ts"
import { secretHeader } from "../../shared/oauth/messages.ts"
import { decodeHeader } from "../../shared/values/codec.ts"
import {
  type PaymentRequirements,
  paymentRequiredHeader,
  paymentRequiredSchema,
  requirementsSchema,
} from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { gateFacts } from "../support/gate-facts.ts"
import { runReconcile } from "../support/ledger.ts"
import { pricedByFunction, sepoliaId } from "../support/offers.ts"
import { type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import {
  eventually,
  offer,
  openService,
  postToken,
  preparePurchase,
  refresh,
  type TestService,
  watch,
} from "../support/service.ts"

let chain: LocalChain
let proxy: RpcProxy
let service: TestService
/** The price that the function returns, and the number of its calls. */
let price: string
let asked = 0
/** Seconds by which the service's clock is ahead. */
let ahead = 0
const clock = () => Math.floor(Date.now() / 1000) + ahead

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  proxy = await startRpcProxy(chain.rpcUrl)
  price = "0.02"
  service = await openService({
    chain,
    rpcUrl: proxy.url,
    issuer: {
      now: clock,
      prices: {
        hour: () => {
          asked += 1
          return price
        },
      },
    },
    config: { offers: [offer("studio", "movies:write", "0.05"), pricedByFunction("hour", "movies:read")] },
  })
})
afterAll(async () => {
  await service.close()
  await proxy.close()
  await chain.stop()
})

/** The entry on sale at the gate; undefined while nothing is sold. */
async function read(): Promise<PaymentRequirements | undefined> {
  const header = (await watch(service.url)).headers.get(paymentRequiredHeader)
  if (header === null) return undefined
  return requirementsSchema.parse(paymentRequiredSchema.parse(decodeHeader(header)).accepts[0])
}

/** Changes the function's price and waits until the gate shows it. */
async function setPrice(next: string): Promise<PaymentRequirements | undefined> {
  price = next
  ahead += 10
  const amount = /^0\.\d+$/.test(next) ? String(Math.round(Number(next) * 1_000_000)) : undefined
  return eventually(read, (entry) => entry?.amount === amount)
}

/** An entry at any price that is valid by the service's clock. */
async function onSale(): Promise<PaymentRequirements> {
  if (!(await read())) await setPrice("0.02")
  const holds = (entry: PaymentRequirements | undefined) =>
    Number(entry?.extra?.quote?.split(".")[1]) > clock()
  const entry = await eventually(read, holds)
  if (!entry) throw new Error("nothing is on sale")
  return entry
}

const buy = async (accepted: PaymentRequirements, changes = {}) => {
  const now = Math.floor(Date.now() / 1000) + ahead
  const purchase = await preparePurchase({ ...service, accepted }, await service.customer(), {
    now,
    ...changes,
  })
  return { ...purchase, answer: await postToken(service.url, purchase.headers) }
}

describe("a price from a function", () => {
  it("is paid by the client and agrees with chain, receipt and books", async () => {
    const account = privateKeyToAccount(generatePrivateKey())
    await chain.mint(account.address, 1_000_000n)
    await setPrice("0.023457")
    const before = await service.balanceOf(service.payTo.address)
    const client = createClient({
      account,
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: [sepoliaId],
      now: clock,
    })
    expect((await client.fetch(`${service.url}/movies/7`)).status).toBe(200)
    expect((await client.spent()).day).toBe("0.023457")
    await eventually(
      () => service.balanceOf(service.payTo.address),
      (balance) => balance === before + 23_457n,
    )

    const { secret, answer } = await buy(await onSale())
    expect(answer.status).toBe(200)
    const receipt = await eventually(
      async () =>
        (await fetch(`${service.url}/token/receipt`, { headers: { [secretHeader]: secret } })).json(),
      (body) => body.receipt !== undefined,
    )
    const keys = await (await fetch(`${service.url}/.well-known/receipt-jwks.json`)).json()
    const { payment } = await verifyReceipt(receipt.receipt, keys, service.url)
    expect(payment.amount).toBe("23457")

    const store = await openStore(String(service.config.database))
    try {
      const rows = await store.redemptions({ state: null, after: 0, limit: 100 })
      const values = rows.map(({ redemption: { nominal, transfer } }) => [nominal, transfer.value])
      expect(values.filter(([nominal]) => nominal === 23_457n)).toEqual(Array(2).fill([23_457n, 23_457n]))
      expect(await auditBooks(store)).toEqual([])
    } finally {
      await store.close()
    }
    expect((await runReconcile(service)).at(-1)).toMatchObject({ differences: 0 })
  })

  it("QTE-04, RPL-24: stays valid after a change until its quote expires", async () => {
    const cheap = await onSale()
    await setPrice(cheap.amount === "30000" ? "0.04" : "0.03")
    const expensive = await onSale()
    expect(expensive.amount).not.toBe(cheap.amount)
    expect((await buy(cheap)).answer.status).toBe(200)
    expect((await buy(expensive)).answer.status).toBe(200)
    // The commitment covers the quote, so a payment is bound to the price that was read.
    const { secret, transfer } = await preparePurchase(
      { ...service, accepted: cheap },
      await service.customer(),
    )
    const moved = await buy(expensive, { secret, terms: { nonce: transfer.nonce } })
    expect(moved.answer.body).toMatchObject({ reason: "commitment_mismatch" })
    ahead += 901
    expect((await buy(cheap)).answer).toMatchObject({
      status: 400,
      body: { reason: "quote_expired", next: { action: "fix" } },
    })
  })

  it("QTE-05, QTE-10: needs its own unedited quote", async () => {
    const entry = await onSale()
    const { quote = "", offer: ref } = entry.extra ?? {}
    const cheaper = {
      ...entry,
      amount: "1",
      extra: { offer: ref, quote: quote.replace(`.${entry.amount}.`, ".1.") },
    }
    for (const accepted of [cheaper, { ...entry, extra: { offer: ref } }])
      expect((await buy(accepted)).answer).toMatchObject({ status: 400, body: { reason: "quote_invalid" } })
    // A quote has no effect where the offer has a fixed price.
    const studio = { ...service.accepted, extra: { ...service.accepted.extra, quote } }
    expect((await buy({ ...studio, amount: entry.amount })).answer.body).toMatchObject({
      reason: "amount_mismatch",
    })
  })

  it("QTE-09: is 503 while its function fails, and existing tokens keep working", async () => {
    const { answer } = await buy(await onSale())
    await setPrice("free")
    const atGate = await watch(service.url)
    expect([atGate.status, atGate.body.reason, atGate.headers.get(paymentRequiredHeader)]).toEqual([
      503,
      "price_unavailable",
      null,
    ])
    const atTokenEndpoint = await fetch(`${service.url}/token?offer=hour`, { method: "POST" })
    expect([atTokenEndpoint.status, (await atTokenEndpoint.json()).reason]).toEqual([
      503,
      "price_unavailable",
    ])
    const rest = await postToken(service.url, {})
    expect(rest.body.accepts).toMatchObject([{ amount: "50000" }])
    // The clock was set forward, so the gate waits for the next revocation list.
    await eventually(
      () => watch(service.url, answer.body.access_token),
      ({ status }) => status === 200,
    )
    expect((await refresh(service.url, answer.body.refresh_token)).status).toBe(200)
  })

  it("is settled first above the limit, as the 402 announces", async () => {
    await setPrice("0.15")
    const expensive = await onSale()
    const { body } = await watch(service.url)
    expect(Object.values(body.extensions["access-token"].info.offers)).toMatchObject([{ settle: "first" }])
    const { answer } = await buy(expensive)
    expect(answer).toMatchObject({ status: 200, body: { grant: { settlement: { state: "settled" } } } })
  })

  it("is shown to 100,000 unpaid requests without a row, a read or a call", async () => {
    const rowsNow = () => {
      const database = new Database(String(service.config.database).slice("sqlite:".length), {
        readonly: true,
      })
      try {
        const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all()
        return tables.map((name) => [name, database.prepare(`SELECT count(*) FROM "${name}"`).pluck().get()])
      } finally {
        database.close()
      }
    }
    const callsNow = () => [...proxy.calls.values()].reduce((sum, count) => sum + count, 0)
    await onSale()
    // Waits until the earlier purchases are settled and checked for the last time.
    await eventually(
      async () => (await runReconcile(service)).at(-1),
      (line) => line?.differences === 0,
    )
    const [rows, calls, questions] = [rowsNow(), callsNow(), asked]
    const { issuer } = service
    for (let each = 0; each < 99_000; each++) {
      const outcome = await issuer.handleGate(gateFacts({ payment: each % 2 === 0 }))
      if (outcome.kind !== "answer") throw new Error("the gate passed a request without a token")
      if (outcome.status !== 402) throw new Error(`found ${outcome.status}`)
    }
    for (let each = 0; each < 10; each++) {
      const statuses = await Promise.all(
        Array.from({ length: 100 }, async (_, at) =>
          at % 2 === 0 ? (await watch(service.url)).status : (await postToken(service.url, {})).status,
        ),
      )
      expect(new Set(statuses)).toEqual(new Set([402]))
    }
    expect(rowsNow()).toEqual(rows)
    // The worker reads the chain at intervals and calls the function every ten seconds.
    expect(callsNow() - calls).toBeLessThan(50)
    expect(asked - questions).toBeLessThanOrEqual(2)
  })
})
