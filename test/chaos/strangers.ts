/** Transactions of others than the service: people with gas, who may call the asset as they like. */
import { encodeFunctionData, parseAbi } from "viem"
import type { Hex } from "../../shared/values/evm.ts"
import { type Account, randomAccount } from "../support/payments.ts"
import { eventually } from "../support/service.ts"
import type { World } from "./world.ts"

/** A call of the asset by somebody with gas, and more of it than all others. */
export async function signCall({ chain }: World, data: Hex): Promise<Hex> {
  const stranger = randomAccount()
  await chain.fund(stranger.address)
  return stranger.signTransaction({
    type: "eip1559",
    chainId: chain.chainId,
    nonce: 0,
    to: chain.asset,
    data,
    gas: 300_000n,
    maxFeePerGas: 2_000_000_000_000n,
    maxPriorityFeePerGas: 300_000_000_000n,
  })
}

/** Resolves when the call is in a block, whether it succeeded or not. */
export async function sendByStranger(world: World, data: Hex): Promise<void> {
  const hash = await world.chain.request("eth_sendRawTransaction", [await signCall(world, data)])
  await eventually(
    () => world.chain.request("eth_getTransactionReceipt", [hash]),
    (receipt) => receipt !== null,
  )
}

const cancelTypes = {
  CancelAuthorization: [
    { name: "authorizer", type: "address" },
    { name: "nonce", type: "bytes32" },
  ],
} as const

const cancelAbi = parseAbi([
  "function cancelAuthorization(address authorizer, bytes32 nonce, bytes signature)",
])

/** The call by which a payer takes his word back. */
export async function cancelCall({ chain }: World, payer: Account, nonce: Hex): Promise<Hex> {
  const signature = await payer.signTypedData({
    domain: { name: "USDC", version: "2", chainId: chain.chainId, verifyingContract: chain.asset },
    types: cancelTypes,
    primaryType: "CancelAuthorization",
    message: { authorizer: payer.address, nonce },
  })
  return encodeFunctionData({ abi: cancelAbi, args: [payer.address, nonce, signature] })
}
