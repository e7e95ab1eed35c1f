import { afterAll, beforeAll, expect, it } from "vitest"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { sepoliaId } from "../support/offers.ts"
import { openService, postToken, preparePurchase, type TestService } from "../support/service.ts"

let chain: LocalChain
let service: TestService
const warned: unknown[] = []
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  const log = { debug() {}, info() {}, error() {}, warn: (fields: object) => void warned.push(fields) }
  service = await openService({
    chain,
    // A coin price at which settling a cent costs more than a cent at any fee.
    config: { networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl], nativePrice: "1000000000" } } },
    issuer: { log },
  })
})
afterAll(async () => {
  await service.close()
  await chain.stop()
})

it("SET-24, DOS-05: a payment below its settlement cost is refused unverified", async () => {
  const customer = await service.customer()
  const purchase = await preparePurchase(service, customer)
  const refused = {
    status: 400,
    body: { error: "invalid_grant", reason: "amount_below_minimum", next: { action: "stop" } },
  }
  expect(await postToken(service.url, purchase.headers)).toMatchObject(refused)
  const { payload } = purchase
  const forged = {
    ...payload,
    payload: { ...(payload.payload as object), signature: `0x${"11".repeat(64)}1b` },
  }
  const headers = { ...purchase.headers, [paymentSignatureHeader]: encodeHeader(forged) }
  expect(await postToken(service.url, headers)).toMatchObject(refused)
  expect(await service.balanceOf(customer.address)).toBe(1_000_000n)
})

it("SET-24: a warning at start names offers below their settlement cost", () => {
  expect(warned).toContainEqual(expect.objectContaining({ offer: "hour", network: sepoliaId }))
})
