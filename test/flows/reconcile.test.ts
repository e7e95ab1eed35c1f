import Sqlite from "better-sqlite3"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createIssuer } from "../../server/app/issuer.ts"
import { mendableProblems } from "../../server/commands/config-file.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import { runReconcile } from "../support/ledger.ts"
import { signPayment } from "../support/payments.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  retryHeaders,
  type TestService,
} from "../support/service.ts"

let service: TestService
let keys: readonly string[]

async function sell(): Promise<string> {
  const purchase = await preparePurchase(service, await service.customer())
  await postToken(service.url, purchase.headers)
  await eventually(
    () => postToken(service.url, retryHeaders(purchase)),
    ({ body }) => body.grant.settlement.state === "settled",
  )
  return exactEip3009.redemptionKey(service.chain.chainId, service.chain.asset, purchase.transfer)
}

/** A signed payment that was submitted on chain without being sent to the service. */
async function submitElsewhere(): Promise<void> {
  const { chain, accepted } = service
  const { transfer } = await signPayment({ accepted, account: await service.customer() })
  const [sender] = chain.accounts
  await chain.request("anvil_impersonateAccount", [sender?.address])
  await chain.request("eth_sendTransaction", [
    {
      from: sender?.address,
      to: chain.asset,
      data: exactEip3009.settlementCall(chain.asset, transfer).data,
    },
  ])
}

const tamper = (sql: string, ...values: unknown[]): void => {
  const db = new Sqlite(String(service.config.database).replace("sqlite:", ""))
  db.prepare(sql).run(...values)
  db.close()
}
const kindsOf = (lines: readonly { kind: string }[]) => lines.map(({ kind }) => kind)

beforeAll(async () => {
  service = await openService()
  keys = await Promise.all([sell(), sell(), sell()])
})
afterAll(() => service.close())

describe("ticket402 reconcile", () => {
  it("SET-45: finds paid rows equal to the chain's transfers while the service runs", async () => {
    const [account, summary] = await runReconcile(service)
    expect(account).toMatchObject({ kind: "account", booked: "30000", arrived: "30000", difference: "0" })
    expect(summary).toEqual({
      kind: "summary",
      difference: "0",
      differences: 0,
      brokenInvariants: 0,
      code: 0,
    })
  })

  it("lists transfers without an authorization as other income", async () => {
    await service.chain.mint(service.payTo.address, 77n)
    const [other, account, summary] = await runReconcile(service)
    expect(other).toMatchObject({ kind: "other_income", value: "77" })
    expect(account).toMatchObject({ arrived: "30000", difference: "0" })
    expect(summary.code).toBe(0)
  })

  it("SET-45: names a row without its transfer and a transfer without its row", async () => {
    tamper("UPDATE redemptions SET log_index = log_index + 7 WHERE key = ?", keys[0])
    const lines = await runReconcile(service)
    expect(lines.filter(({ key }) => key === keys[0])).toMatchObject([
      { kind: "paid_without_transfer", state: expect.stringMatching(/paid|final/) },
      { kind: "transfer_without_proof" },
    ])
    expect(lines.at(-1)).toMatchObject({ difference: "0", differences: 2, code: 1 })
    tamper("UPDATE redemptions SET log_index = log_index - 7 WHERE key = ?", keys[0])
  })

  it("SET-45: names money that arrived by authorization and is in no row", async () => {
    await submitElsewhere()
    const lines = await runReconcile(service)
    expect(kindsOf(lines)).toEqual(["transfer_without_row", "other_income", "account", "summary"])
    expect(lines[0]).toMatchObject({ value: "10000", transactionHash: expect.stringMatching(/^0x/) })
    expect(lines.at(-1)).toMatchObject({ difference: "10000", differences: 1, code: 1 })
  })

  it("starts at the given block and refuses another value", async () => {
    const head = BigInt((await service.chain.request("eth_blockNumber")) as string)
    expect((await runReconcile(service, `${head + 1n}`))[0]).toMatchObject({ booked: "0", arrived: "0" })
    expect(await runReconcile(service, "latest")).toEqual([
      expect.stringContaining("--from-block: wanted a block's number"),
    ])
  })

  it("names every invariant that the store violates", async () => {
    tamper("UPDATE totals SET unsettled = '5'")
    expect((await runReconcile(service))[0]).toMatchObject({ kind: "broken_invariant", invariant: "I3" })
    // The service refuses to start on such a store.
    const start = createIssuer(service.config)
    await expect(start).rejects.toThrow("I3: the total of unsettled value is 5, the rows' 0")
    expect(mendableProblems(await start.catch((error: unknown) => error))).toHaveLength(1)
    tamper("UPDATE totals SET unsettled = '0'")
  })
})
