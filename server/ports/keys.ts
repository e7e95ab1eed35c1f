/** Defines the keys that sign tokens, receipts and revocation lists. */
import type { Claims } from "../../shared/oauth/access-token.ts"
import type { Receipt as PaymentReceipt } from "../../shared/oauth/receipt.ts"
import type { RevocationList } from "../../shared/oauth/revocation-list.ts"

/** Nothing can be signed now. Recorded purchases stay recorded: the same request yields the token later. */
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
  /** Random; made with the first keys of the ring, and unchanged as long as the ring lasts. */
  ringId(): string
  sign(claims: Claims): Promise<string>
  signReceipt(receipt: PaymentReceipt): Promise<string>
  signRevocations(list: RevocationList): Promise<string>
  /**
   * Throws {@link SignerUnavailable} when signing would likely fail. Call it before anything is recorded: a recorded
   * purchase or rotation without a token leaves the buyer waiting.
   */
  check(): void
  /**
   * A token this service signed, in the one spelling it writes; undefined for everything else. Says nothing about time,
   * issuer or audience. Never throws for a bad token.
   */
  verify(token: string): Promise<VerifiedToken | undefined>
  /**
   * Whether tokens of this key are still accepted. Ask at every use of a token verified earlier: the key may have
   * been removed.
   */
  isTrusted(kid: string): boolean
  /** Keys that check tokens: those that sign, will sign, or signed tokens that may still be alive. */
  jwks(): KeySet
  /** Keys that check receipts: every key that ever signed, except removed ones. */
  receiptJwks(): KeySet
  /** Keys removed in an emergency, oldest first; the revocation list reports them to other gates. */
  removed(): readonly { readonly kid: string; readonly removedAt: number }[]
  /** Loads changes made by other processes, and replaces keys that are old enough. */
  refresh(): Promise<void>
  /** A seal that only this service can make for a text, the same in all its processes; check it within minutes. */
  seal(text: string): string
  isSealed(text: string, seal: string): boolean
  /** The same under a separate key, which lasts as long as quotes and the payments for them. */
  sealQuote(text: string): QuoteSeal
  isQuoteSealed(text: string, seal: QuoteSeal): boolean
  refreshToken(grantId: string, generation: number): string
  /** Undefined for anything this service did not make. */
  readRefreshToken(token: string): { grantId: string; generation: number } | undefined
}
