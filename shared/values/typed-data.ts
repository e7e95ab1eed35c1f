/** Hashes typed data (EIP-712) with the constant parts computed once, which a seller hashes for every payment. */
import { concat, type Domain, domainSeparator, type Hex, keccak256, stringToBytes } from "./evm.ts"

/** A member of one word: nested structs and members of variable length are not supported. */
export type TypedMember = { readonly name: string; readonly type: "address" | "uint256" | "bytes32" }

/** By name: integers from 0 to 2^256 - 1, addresses and bytes32 in hex. */
export type TypedMessage<Name extends string> = Readonly<Record<Name, bigint | Hex>>

/** Returns the function that computes the digest which a wallet signs for a struct of this type. */
export function createTypedDataHash<Name extends string>(
  primaryType: string,
  members: readonly (TypedMember & { readonly name: Name })[],
): (domain: Domain, message: TypedMessage<Name>) => Hex {
  const signature = members.map(({ name, type }) => `${type} ${name}`).join(",")
  const typeHash = keccak256(stringToBytes(`${primaryType}(${signature})`))
  return (domain, message) => {
    const words = members.map(({ name }) => wordOf(message[name]))
    const struct = keccak256(concat([typeHash, ...words]))
    return keccak256(concat(["0x1901", separatorOf(domain), struct]))
  }
}

const wordOf = (value: bigint | Hex): Hex =>
  `0x${(typeof value === "bigint" ? value.toString(16) : value.slice(2)).padStart(64, "0")}`

/** Of the domains in use; a process knows a few assets. */
const separators = new Map<string, Hex>()
const mostSeparators = 100

function separatorOf(domain: Domain): Hex {
  const key = JSON.stringify([domain.name, domain.version, domain.chainId, domain.verifyingContract])
  const known = separators.get(key)
  if (known) return known
  if (separators.size >= mostSeparators) separators.clear()
  const separator = domainSeparator(domain)
  separators.set(key, separator)
  return separator
}
