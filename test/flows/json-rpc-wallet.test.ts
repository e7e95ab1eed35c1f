import { afterAll, beforeAll, expect, it } from "vitest"
import { createClient, createProviderSigner, createRemoteSigner } from "../../client/index.ts"
import type { Hex } from "../../shared/values/evm.ts"
import { startLocalChain } from "../support/chain/local-chain.ts"
import { eventually, openService, type TestService } from "../support/service.ts"

let service: TestService
beforeAll(async () => {
  service = await openService({ chain: await startLocalChain({ blockTimeSeconds: 0, nodeAccounts: 2 }) })
})
afterAll(async () => {
  await service.close()
  await service.chain.stop()
})

it("a node's accounts pay, through a wallet provider and a remote signer", async () => {
  const { chain } = service
  const provider = {
    request: ({ method, params }: { method: string; params?: unknown }) =>
      chain.request(method, params as readonly unknown[]),
  }
  const [, second] = (await chain.request("eth_accounts")) as Hex[]
  const signers = [
    await createProviderSigner(provider),
    createRemoteSigner({ url: chain.rpcUrl, address: second! }),
  ]
  expect(new Set(signers.map(({ address }) => address)).size).toBe(2)
  for (const account of signers) {
    await chain.mint(account.address, 1_000_000n)
    const client = createClient({
      account,
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: ["eip155:11155111"],
    })
    expect((await client.fetch(`${service.url}/movies/7`)).status).toBe(200)
  }
  await eventually(
    () => service.balanceOf(service.payTo.address),
    (balance) => balance === 20_000n,
  )
})
