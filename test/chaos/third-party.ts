/** Transactions of third parties: accounts with gas, which may call the asset like anybody. */
import type { Hex } from "../../shared/values/evm.ts"
import { randomAccount } from "../support/payments.ts"
import { eventually } from "../support/service.ts"
import type { FastChain } from "./fast-chain.ts"

/** Signs a call of the asset by a new account with gas, at a fee above all others. */
export async function signCall({ chain }: FastChain, data: Hex): Promise<Hex> {
  const account = randomAccount()
  await chain.fund(account.address)
  return account.signTransaction({
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

/** Resolves when the call is in a block, whether it succeeded or reverted. */
export async function sendByThirdParty(fastChain: FastChain, data: Hex): Promise<void> {
  const hash = await fastChain.chain.request("eth_sendRawTransaction", [await signCall(fastChain, data)])
  await eventually(
    () => fastChain.chain.request("eth_getTransactionReceipt", [hash]),
    (receipt) => receipt !== null,
  )
}
