/** Signers behind JSON-RPC: the account of an EIP-1193 wallet, in a browser or elsewhere, pays. */
import { getTypesForEIP712Domain, numberToHex } from "viem"
import type { TypedDataSigner } from "../../shared/schemes/scheme.ts"
import { type Address, type Hex, parseAddress } from "../../shared/values/evm.ts"
import { Ticket402Error } from "../core/errors.ts"
import { requireKnown } from "../core/option-names.ts"

/** A wallet as EIP-1193 has it, such as `window.ethereum`. */
export type Provider = {
  request(call: { method: string; params?: unknown }): Promise<unknown>
}

/** The codes of EIP-1193 and EIP-3326 that a program can act on. */
const reasons: Readonly<Record<number, string>> = {
  4001: "user_rejected",
  4100: "unauthorized",
  4200: "unsupported_method",
  4900: "disconnected",
  4901: "chain_disconnected",
  4902: "unknown_chain",
}

/**
 * A signer for an account of the wallet, which its user is asked for when `address` does not name it. Before it signs, the
 * wallet is switched to the chain of the payment, because most refuse to sign for any other. Throws a
 * {@link Ticket402Error} `signing_failed` whose `reason` is one of `user_rejected`, `unauthorized`, `unsupported_method`,
 * `disconnected`, `chain_disconnected`, `unknown_chain` and `wallet_failed`, or `option_invalid`.
 */
export async function createProviderSigner(
  provider: Provider,
  options: { readonly address?: Address } = {},
): Promise<TypedDataSigner> {
  requireKnown(options, { address: true })
  const ask = (method: string, params?: readonly unknown[]): Promise<unknown> =>
    askWallet(provider, method, params)
  const address = options.address ?? firstOf(await ask("eth_requestAccounts"))
  const signer = signerOver(ask, address)
  return {
    address: signer.address,
    async signTypedData(typedData) {
      if ("chainId" in typedData.domain) await switchTo(typedData.domain.chainId, ask)
      return signer.signTypedData(typedData)
    },
  }
}

type Ask = (method: string, params?: readonly unknown[]) => Promise<unknown>

/** Throws a {@link Ticket402Error} `option_invalid` for a text that is no address. */
export function signerOver(ask: Ask, given: string): TypedDataSigner {
  const address = parseAddress(given)
  if (!address)
    throw new Ticket402Error("option_invalid", "The option address is wrong.", {
      found: given,
      wanted: "the address of the account that signs",
    })
  return {
    address,
    async signTypedData({ domain, types, primaryType, message }) {
      const whole = { EIP712Domain: getTypesForEIP712Domain({ domain }), ...types }
      const json = JSON.stringify({ domain, types: whole, primaryType, message }, spellBigint)
      return canonical(await ask("eth_signTypedData_v4", [address, json]))
    },
  }
}

const spellBigint = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? String(value) : value

async function switchTo(chainId: number, ask: Ask): Promise<void> {
  const wanted = numberToHex(chainId)
  const present = await ask("eth_chainId")
  if (typeof present === "string" && /^0x[0-9a-f]{1,14}$/i.test(present) && Number(present) === chainId)
    return
  await ask("wallet_switchEthereumChain", [{ chainId: wanted }])
}

/** Wallets spell v as 0 or 1 or the hex in capitals; the chain takes one spelling . */
function canonical(signature: unknown): Hex {
  if (typeof signature !== "string" || !/^0x(?:[0-9a-f]{2})+$/i.test(signature))
    throw new Ticket402Error("signing_failed", "The wallet's answer is no signature.", { action: "stop" })
  const hex = signature.toLowerCase() as Hex
  const v = { "00": "1b", "01": "1c" }[hex.slice(130)]
  return v === undefined ? hex : `${hex.slice(0, 130) as Hex}${v}`
}

async function askWallet(provider: Provider, method: string, params?: readonly unknown[]): Promise<unknown> {
  try {
    return await provider.request(params === undefined ? { method } : { method, params })
  } catch (error) {
    // Its text is not passed on, because it may contain a secret of the wallet.
    const code = (error as { code?: unknown } | null)?.code
    throw new Ticket402Error("signing_failed", "The wallet did not do what signing takes.", {
      action: "stop",
      reason: (typeof code === "number" ? reasons[code] : undefined) ?? "wallet_failed",
      found: `no ${method}`,
    })
  }
}

const firstOf = (accounts: unknown): string =>
  Array.isArray(accounts) && typeof accounts[0] === "string" ? accounts[0] : "no account"
