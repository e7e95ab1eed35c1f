/** Defines the statement by which a whitelisted address asks for a token, distinct from all other signatures (WL-06). */
import { type Address, type Hex, hashTypedData } from "../values/evm.ts"

export type WalletStatement = {
  readonly account: Address
  /** The issuer and the resource of the token, byte for byte as in the metadata. */
  readonly issuer: string
  readonly audience: string
  /** A nonce of the service for one statement. */
  readonly nonce: string
}

/** Returns EIP-712 data in a domain of its own, which no payment and no login elsewhere uses. It moves no money. */
export const walletProof = (statement: WalletStatement) => ({
  domain: { name: "ticket402 wallet proof", version: "1" },
  types: {
    WalletProof: [
      { name: "purpose", type: "string" },
      { name: "account", type: "address" },
      { name: "issuer", type: "string" },
      { name: "audience", type: "string" },
      { name: "nonce", type: "string" },
    ],
  },
  primaryType: "WalletProof" as const,
  message: { purpose: "Get an access token as a whitelisted account", ...statement },
})

export const walletProofDigest = (statement: WalletStatement): Hex => hashTypedData(walletProof(statement))
