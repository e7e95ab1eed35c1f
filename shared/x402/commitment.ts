/** Makes nonces that commit to a secret, with which a buyer later proves to own a payment. */
import { concat, type Hex, keccak256, sha256, stringToBytes } from "../values/evm.ts"

export type CommitmentTerms = {
  /** The result of {@link committedOffer} for `accepted.extra`. */
  readonly offerRef: string
  /** `extensions["access-token"].info.resource`, byte for byte. */
  readonly resource: string
  /** Id of the grant that a top-up extends; absent for a new grant. */
  readonly grant?: string | undefined
}

/** Returns the offer to which a nonce commits: its reference, and its price quote if it has one. */
export const committedOffer = (offer: string, quote: string | undefined): string =>
  quote === undefined ? offer : `${offer}.${quote}`

/** Returns the value of `Ticket402-Commitment` for the 32 random bytes of a purchase. */
export const openingOf = (secret: Hex): Hex => sha256(secret)

/** Returns the nonce that commits to the secret, the offer, the resource and, for a top-up, the grant. */
export const commitmentNonce = (opening: Hex, terms: CommitmentTerms): Hex =>
  keccak256(
    concat([
      stringToHex("ticket402/1"),
      opening,
      sha256(stringToBytes(terms.offerRef)),
      sha256(stringToBytes(terms.resource)),
      ...(terms.grant === undefined ? [] : [sha256(stringToBytes(terms.grant))]),
    ]),
  )

function stringToHex(text: string): Hex {
  let hex = "0x"
  for (const byte of stringToBytes(text)) hex += byte.toString(16).padStart(2, "0")
  return hex as Hex
}
