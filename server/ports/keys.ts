/** The keys that tokens, receipts and lists are signed with. */
import type { Claims } from "../../shared/oauth/access-token.ts"
import type { Receipt as PaymentReceipt } from "../../shared/oauth/receipt.ts"
import type { RevocationList } from "../../shared/oauth/revocation-list.ts"

/** Nothing can be signed now. What was recorded stays so: the same request gives the token later. */
export class SignerUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "SignerUnavailable"
  }
}

export type VerifiedToken = { readonly claims: Claims; readonly kid: string }
/** `kid` names the key. */
export type QuoteSeal = { readonly kid: string; readonly seal: string }
export type KeySet = { readonly keys: readonly Readonly<Record<string, unknown>>[] }

/** Verbs that sign, derive or seal throw {@link SignerUnavailable}. */
export type Keys = {
  /** Random, made with the first keys of the ring, and the same as long as the ring lasts. */
  ringId(): string
  sign(claims: Claims): Promise<string>
  signReceipt(receipt: PaymentReceipt): Promise<string>
  signRevocations(list: RevocationList): Promise<string>
  /** Throws {@link SignerUnavailable} when signing would likely fail, for whoever has not promised anything yet. */
  check(): void
  /**
   * A token this service signed, in the one spelling it writes; undefined for everything else. Says nothing about time,
   * issuer or audience. Never throws for a bad token.
   */
  verify(token: string): Promise<VerifiedToken | undefined>
  /** Whether what the key signed is still accepted; to be asked at every look at a token verified earlier. */
  isTrusted(kid: string): boolean
  /** What tokens are checked with: keys that sign, will sign, or signed what is not over. */
  jwks(): KeySet
  /** What receipts are checked with: every key that ever signed, but for those removed. */
  receiptJwks(): KeySet
  /** Keys taken out in an emergency, for whoever must tell other verifiers; the oldest first. */
  removed(): readonly { readonly kid: string; readonly removedAt: number }[]
  /** Reads of changes by other processes, and replaces keys that are old enough. */
  refresh(): Promise<void>
  /** What only this service can make of a text, the same in all its processes; to be checked within minutes. */
  seal(text: string): string
  isSealed(text: string, seal: string): boolean
  /** The same under a key of its own, which lasts as long as quotes and the payments for them. */
  sealQuote(text: string): QuoteSeal
  isQuoteSealed(text: string, seal: QuoteSeal): boolean
  refreshToken(grantId: string, generation: number): string
  /** Undefined for anything this service did not make. */
  readRefreshToken(token: string): { grantId: string; generation: number } | undefined
}
