/** The relayer by a private key in memory. */
import { keccak256 } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { type Hex, lowerAddress } from "../../shared/evm.ts"
import type { Relayer } from "../ports.ts"

/** The key lives in this closure only, so that no log or inspection of the relayer can show it. */
export function createRelayer(privateKey: Hex): Relayer {
  const account = privateKeyToAccount(privateKey)
  return Object.freeze({
    address: lowerAddress(account.address),

    // Signatures are deterministic (RFC 6979): the same transaction always gives the same bytes.
    async sign({ chainId, nonce, to, data, gas, fees }: Parameters<Relayer["sign"]>[0]) {
      const { maxFeePerGas, maxPriorityFeePerGas } = fees
      const raw = await account.signTransaction({
        type: "eip1559",
        chainId,
        nonce,
        to,
        data,
        gas,
        maxFeePerGas,
        maxPriorityFeePerGas,
      })
      return { hash: keccak256(raw), raw, maxFeePerGas, maxPriorityFeePerGas }
    },
  })
}
