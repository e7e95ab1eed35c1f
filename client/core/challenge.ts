/** A challenge: the offers of a 402, their token endpoint and their audience. */
import type { AccessTokenInfo } from "../../shared/x402/messages.ts"

export type Challenge = {
  /** Entries as received: a payment repeats its entry byte for byte. */
  readonly accepts: readonly unknown[]
  readonly info: AccessTokenInfo
  /** The token was good, but for other things or not for so much: another token of its grant would be no better. */
  readonly insufficientGrant: boolean
  /** Of a plain x402 server: the call itself is sold, and a payment is shown with it in this way. */
  readonly show?: Show
}

/** The scopes on sale. */
export const scopesOf = ({ info }: Challenge): readonly string[] =>
  Object.values(info.offers).map(({ scope }) => scope)

/** The header by which a payment of an entry is shown; `payload` as its scheme writes it. */
export type Show = (
  entry: unknown,
  payload: unknown,
) => { readonly headerName: string; readonly header: string }
