/** A client of the matrix: its name, and a function that calls with an account's money. */
import type { PrivateKeyAccount } from "viem/accounts"

/** `fetch`, as far as the matrix needs it. */
export type Call = (
  url: string,
  init?: { method?: string },
) => Promise<Pick<Response, "status" | "headers" | "json">>

export type Client = {
  /** The package name. */
  readonly name: string
  /** True if the client finds the token endpoint from any 402, so that the matrix does not send it there. */
  readonly buysTokens?: true
  /** Prepares calls to one server; the client may spend the whole balance of the account. */
  open(account: PrivateKeyAccount, origin: string): Call
}
