/** Wraps viem for shared code: addresses, hashes, typed data and recovery. */
import {
  type Address,
  bytesToHex,
  concat,
  decodeFunctionData,
  decodeFunctionResult,
  encodeFunctionData,
  getAddress,
  type Hex,
  hashDomain,
  hashTypedData,
  isAddress,
  keccak256,
  parseAbi,
  prepareEncodeFunctionData,
  recoverAddress,
  sha256,
  stringToBytes,
  zeroHash,
} from "viem"

export type { Address, Hex }
export {
  bytesToHex,
  concat,
  decodeFunctionData,
  decodeFunctionResult,
  encodeFunctionData,
  hashTypedData,
  keccak256,
  parseAbi,
  prepareEncodeFunctionData,
  sha256,
  stringToBytes,
  zeroHash,
}

/**
 * Returns the signer of a digest; undefined when the signature has none. It is a port, so that another thread or a native
 * implementation can replace it. It throws only when it cannot decide.
 */
export type Recover = (digest: Hex, signature: Hex) => Promise<Address | undefined>

export const recoverSigner: Recover = async (digest, signature) => {
  try {
    return lowerAddress(await recoverAddress({ hash: digest, signature }))
  } catch {
    // viem throws when r and s match no point of the curve.
    return undefined
  }
}

/**
 * Reads an address as 20 canonical bytes (lower-case hex); undefined for any other text. A mixed-case spelling must have
 * the right EIP-55 checksum, because a wrong one is a typing error.
 */
export function parseAddress(text: string): Address | undefined {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) return undefined
  const lower = text.toLowerCase()
  const hex = text.slice(2)
  const plain = hex === hex.toLowerCase() || hex === hex.toUpperCase()
  return plain || isAddress(text, { strict: true }) ? (lower as Address) : undefined
}

export const lowerAddress = (address: Address): Address => address.toLowerCase() as Address

/** Returns the EIP-55 spelling, for the wire and for people. */
export const checksumAddress = (address: Address): Address => getAddress(address)

export const zeroAddress: Address = "0x0000000000000000000000000000000000000000"

/** The EIP-712 domain of an asset (or of another verifying contract). */
export type Domain = { name: string; version: string; chainId: number; verifyingContract: Address }

export const domainSeparator = (domain: Domain): Hex =>
  hashDomain({
    domain: { ...domain, chainId: BigInt(domain.chainId) },
    types: {
      EIP712Domain: [
        { name: "name", type: "string" },
        { name: "version", type: "string" },
        { name: "chainId", type: "uint256" },
        { name: "verifyingContract", type: "address" },
      ],
    },
  })

/** Returns the CAIP-10 id in lower case, which is the `sub` of a payer's token. */
export const accountId = (network: string, address: Address): string => `${network}:${lowerAddress(address)}`

const halfOrder = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

/**
 * Accepts the one spelling of a signature that USDC accepts: 65 bytes, s in the lower half, v 27 or 28. Every other
 * spelling recovers off chain and reverts on chain, so it would buy a free token.
 */
export function isCanonicalSignature(signature: Hex): boolean {
  if (!/^0x[0-9a-f]{130}$/.test(signature)) return false
  const v = signature.slice(130)
  if (v !== "1b" && v !== "1c") return false
  const s = BigInt(`0x${signature.slice(66, 130)}`)
  return s > 0n && s <= halfOrder
}
