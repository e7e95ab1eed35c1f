/** The wallet proof: a statement by which a listed address asks for a token, and which can be mistaken for nothing else (WL-06). */
import { type Address, type Hex, hashTypedData } from "../values/evm.ts"

export type WalletStatement = {
  readonly account: Address
  /** Who issues the token, and for what resource, byte for byte as in the metadata. */
  readonly issuer: string
  readonly audience: string
  /** From the service; good for one statement. */
  readonly nonce: string
}

/** EIP-712, in a domain of its own: no payment and no login elsewhere is signed in it, and nothing in it moves money. */
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
