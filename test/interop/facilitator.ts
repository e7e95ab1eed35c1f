/**
 * A facilitator made of the x402 project's own parts: it verifies and settles v1 and v2 on the matrix's
 * chain.
 */
import { toFacilitatorEvmSigner } from "@x402/evm"
import { ExactEvmScheme } from "@x402/evm/exact/facilitator"
import { ExactEvmSchemeV1 } from "@x402/evm/exact/v1/facilitator"
import pLimit from "p-limit"
import { createWalletClient, http, publicActions } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { baseSepolia as viemBaseSepolia } from "viem/chains"
import { baseSepolia } from "../../shared/networks/base-sepolia.ts"
import type { LocalChain } from "../support/chain/local-chain.ts"

export type Facilitator = Awaited<ReturnType<typeof openFacilitator>>

export async function openFacilitator(chain: LocalChain) {
  const account = privateKeyToAccount(generatePrivateKey())
  await chain.fund(account.address)
  const wallet = createWalletClient({ account, chain: viemBaseSepolia, transport: http(chain.rpcUrl) })
  const signer = toFacilitatorEvmSigner({
    ...wallet.extend(publicActions),
    address: account.address,
  } as never)
  const schemes = { 1: new ExactEvmSchemeV1(signer), 2: new ExactEvmScheme(signer) }
  type Exchange = Parameters<ExactEvmScheme["settle"]>
  const of = (payload: Exchange[0]) => schemes[payload.x402Version as 1 | 2] as ExactEvmScheme
  // Two settlements at once would use the same nonce of the account.
  const inTurn = pLimit(1)
  let settled = 0

  return {
    settled: () => settled,
    verify: (payload: Exchange[0], requirements: Exchange[1]) => of(payload).verify(payload, requirements),
    settle: (payload: Exchange[0], requirements: Exchange[1]) =>
      inTurn(async () => {
        const settlement = await of(payload).settle(payload, requirements)
        if (settlement.success) settled += 1
        return settlement
      }),
    getSupported: async () => ({
      kinds: [{ x402Version: 2, scheme: "exact", network: baseSepolia.id }],
      extensions: [],
      signers: { "eip155:*": [account.address] },
    }),
  }
}
