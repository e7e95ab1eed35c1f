/** Cancels signed payments on chain, as a payer does who wants the access and keeps the money. */
import { encodeFunctionData, parseAbi } from "viem"
import type { Hex } from "../../shared/values/evm.ts"
import type { LocalChain } from "./chain/local-chain.ts"
import type { Account } from "./payments.ts"

const cancelTypes = {
  CancelAuthorization: [
    { name: "authorizer", type: "address" },
    { name: "nonce", type: "bytes32" },
  ],
} as const

const cancelAbi = parseAbi([
  "function cancelAuthorization(address authorizer, bytes32 nonce, bytes signature)",
])

/** The call by which a payer cancels a signed authorization. */
export async function cancelCall(
  { chain }: { readonly chain: Pick<LocalChain, "chainId" | "asset"> },
  payer: Account,
  nonce: Hex,
): Promise<Hex> {
  const signature = await payer.signTypedData({
    domain: { name: "USDC", version: "2", chainId: chain.chainId, verifyingContract: chain.asset },
    types: cancelTypes,
    primaryType: "CancelAuthorization",
    message: { authorizer: payer.address, nonce },
  })
  return encodeFunctionData({ abi: cancelAbi, args: [payer.address, nonce, signature] })
}
