/** The commitment in a nonce: lets the buyer prove later, with a secret that never reaches the chain, that a payment is his (wire.md §4). */
import { concat, type Hex, keccak256, sha256, stringToBytes } from "../values/evm.ts"

export type CommitmentTerms = {
  /** As {@link committedOffer} makes it of `accepted.extra`. */
  readonly offerRef: string
  /** `extensions["access-token"].info.resource`, byte for byte. */
  readonly resource: string
  /** Id of the grant that a further payment is for; absent where it opens one. */
  readonly grant?: string | undefined
}

/** The offer as a nonce commits to it: its reference, and the quote of its price if there is one. */
export const committedOffer = (offer: string, quote: string | undefined): string =>
  quote === undefined ? offer : `${offer}.${quote}`

/** 32 random bytes of a purchase → the value the purchase shows in `Ticket402-Commitment`. */
export const openingOf = (secret: Hex): Hex => sha256(secret)

/** The payment nonce that commits to the secret, the offer, the resource, and the grant of a further payment. */
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
