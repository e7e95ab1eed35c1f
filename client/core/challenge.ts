/** A challenge: the offers of a 402, their token endpoint and their audience. */
import type { AccessTokenInfo } from "../../shared/x402/messages.ts"

export type Challenge = {
  /** Entries as received: a payment repeats its entry byte for byte. */
  readonly accepts: readonly unknown[]
  readonly info: AccessTokenInfo
  /** The token is valid, but its scope or calls do not suffice: a newer token of its grant would not help. */
  readonly insufficientGrant: boolean
  /** Present for a plain x402 server, which sells the call itself: how the call shows its payment. */
  readonly show?: Show
}

/** The scopes of its offers. */
export const scopesOf = ({ info }: Challenge): readonly string[] =>
  Object.values(info.offers).map(({ scope }) => scope)

/** Returns the header that shows a payment for an entry; `payload` as its scheme writes it. */
export type Show = (
  entry: unknown,
  payload: unknown,
) => { readonly headerName: string; readonly header: string }
