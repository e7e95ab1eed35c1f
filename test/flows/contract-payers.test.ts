import { encodeDeployData } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { commitmentHeader, secretHeader } from "../../shared/oauth/messages.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { testWallet } from "../support/contracts/artifacts/test-wallet.ts"
import { type Account, randomAccount } from "../support/payments.ts"
import {
  askStatus,
  eventually,
  openService,
  postToken,
  preparePurchase,
  type TestService,
  withoutBlocks,
} from "../support/service.ts"

let chain: LocalChain
let service: TestService
let contractCode: unknown
const listed = randomAccount().address
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  service = await openService({
    chain,
    config: { whitelist: [{ address: listed, scope: "movies:read movies:write" }] },
  })
  contractCode = await chain.request("eth_call", [{ data: encodeDeployData(testWallet) }, "latest"])
})
afterAll(async () => {
  await service.close()
  await chain.stop()
})

const setOwner = (wallet: Hex, owner: Hex) =>
  chain.request("anvil_setStorageAt", [
    wallet,
    `0x${"0".repeat(64)}`,
    `0x${owner.slice(2).padStart(64, "0")}`,
  ])

/** A smart account with 1 USDC, and its owner. */
async function openWallet(address: Hex = randomAccount().address): Promise<{ address: Hex; owner: Account }> {
  const owner = randomAccount()
  await chain.request("anvil_setCode", [address, contractCode])
  await setOwner(address, owner.address)
  await chain.mint(address, 1_000_000n)
  return { address, owner }
}

/** A payment of `payer` signed by another account, with optional bytes after the signature. */
async function prepare(payer: Hex, signer: Account, tail = "", seller = service) {
  const lower = payer.toLowerCase() as Hex
  const purchase = await preparePurchase(seller, signer, { terms: { payer: lower } })
  const inner = purchase.payload.payload as Record<string, unknown>
  const payload = { ...inner, signature: `${purchase.transfer.signature}${tail}` }
  const header = encodeHeader({ ...purchase.payload, payload })
  return { ...purchase, headers: { ...purchase.headers, [paymentSignatureHeader]: header } }
}
/** Transactions that no block has taken yet. */
const pendingCount = async () =>
  Number(((await chain.request("txpool_status")) as { pending: string }).pending)

const refused = { status: 400, body: { reason: "simulation_failed", next: { action: "stop" } } }

describe("a payer with code", () => {
  it("is settled first and may send a signature of any length", async () => {
    const { address, owner } = await openWallet()
    const { headers } = await prepare(address, owner, "ab".repeat(32))
    expect(await postToken(service.url, headers)).toMatchObject({
      status: 200,
      body: { grant: { settlement: { state: "settled" } } },
    })
    expect(await service.balanceOf(address)).toBe(990_000n)
  })

  it("is refused when its code rejects the signature", async () => {
    const { address } = await openWallet()
    const purchase = await prepare(address, randomAccount())
    expect(await postToken(service.url, purchase.headers)).toMatchObject(refused)
    expect((await askStatus(service.url, { [secretHeader]: purchase.secret })).status).toBe(404)
  })

  it("SET-08: gets no token when its owner changes before settlement", async () => {
    const { address, owner } = await openWallet()
    const purchase = await prepare(address, owner)
    const waiting = await withoutBlocks(chain, async () => {
      const asked = postToken(service.url, purchase.headers)
      await eventually(
        () => askStatus(service.url, { [secretHeader]: purchase.secret }),
        ({ status }) => status === 200,
      )
      await setOwner(address, randomAccount().address)
      return [asked]
    })
    const answer = await waiting[0]
    expect([202, 400]).toContain(answer?.status)
    expect(answer?.body).not.toHaveProperty("access_token")
    await eventually(
      async () => {
        // Two blocks have to refuse it.
        await chain.request("anvil_mine", ["0x1"])
        return askStatus(service.url, { [secretHeader]: purchase.secret })
      },
      ({ body }) => body.grant.settlement.state === "failed",
      30,
    )
    expect(await service.balanceOf(address)).toBe(1_000_000n)
  }, 60_000)

  it("may be a delegated account (EIP-7702) if code and key agree", async () => {
    const { address: wallet } = await openWallet()
    const account = await service.customer()
    await chain.request("anvil_setCode", [account.address, `0xef0100${wallet.slice(2).toLowerCase()}`])
    const buy = async () => postToken(service.url, (await preparePurchase(service, account)).headers)
    // The key is right, but the delegated code rejects the signature.
    expect(await buy()).toMatchObject(refused)
    await setOwner(account.address, account.address)
    expect(await buy()).toMatchObject({ status: 200, body: { grant: { settlement: { state: "settled" } } } })
  })

  it("SET-25, DOS-12: whose code burns all gas costs a capped call and buys nothing", async () => {
    const { address } = await openWallet()
    // JUMPDEST, PUSH1 0, JUMP: an endless loop.
    await chain.request("anvil_setCode", [address, "0x5b600056"])
    const { headers } = await prepare(address, randomAccount())
    expect(await postToken(service.url, headers)).toMatchObject(refused)
  })

  it("WL-08: pays although its address is whitelisted", async () => {
    const { address, owner } = await openWallet(listed)
    const { headers } = await prepare(address, owner)
    expect(headers).toHaveProperty(commitmentHeader)
    expect(await postToken(service.url, headers)).toMatchObject({
      status: 200,
      body: { grant: { settlement: { state: "settled" } } },
    })
    expect(await service.balanceOf(address)).toBe(990_000n)
  })
})

it("SET-51: readiness shows lost gas; a spent budget stops new payers with code only", async () => {
  const limits = { failedGas: 50_000 }
  const seller = await openService({ chain, config: { limits } })
  const post = (purchase: { headers: Record<string, string> }) => postToken(seller.url, purchase.headers)
  const ready = async () => (await fetch(`${seller.url}/health/ready`)).json()
  try {
    await eventually(ready, ({ status }) => status === "ok")
    expect(await ready()).not.toHaveProperty("failed_gas")
    const hostile = await openWallet()
    const [answer] = await withoutBlocks(chain, async () => {
      const asked = post(await prepare(hostile.address, hostile.owner, "", seller))
      await eventually(pendingCount, (count) => count > 0)
      await setOwner(hostile.address, randomAccount().address)
      return [asked]
    })
    expect((await answer)?.body).not.toHaveProperty("access_token")
    const { status, failed_gas: lost } = await eventually(ready, (body) => body.failed_gas !== undefined)
    expect({ status, budget: lost.budget }).toEqual({ status: "ok", budget: limits.failedGas })
    expect(lost.spent).toBeGreaterThan(limits.failedGas)
    const next = await openWallet()
    expect(await post(await prepare(next.address, next.owner, "", seller))).toMatchObject({
      status: 503,
      body: { reason: "contract_payers_paused" },
    })
    expect((await post(await preparePurchase(seller, await seller.customer()))).status).toBe(200)
  } finally {
    await seller.close()
  }
})

it("a wrong signature of a plain account is refused, whatever its form", async () => {
  const customer = await service.customer()
  const other = await prepare(customer.address, randomAccount())
  expect((await postToken(service.url, other.headers)).body.reason).toBe("signature_invalid")
  const long = await prepare(customer.address, customer, "00")
  expect((await postToken(service.url, long.headers)).body.reason).toBe("signature_not_canonical")
})
