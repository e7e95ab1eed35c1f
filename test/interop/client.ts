/** A client of the matrix: what it is called, and how it calls with an account's money. */
import type { PrivateKeyAccount } from "viem/accounts"

/** `fetch`, as far as the matrix needs it. */
export type Call = (
  url: string,
  init?: { method?: string },
) => Promise<Pick<Response, "status" | "headers" | "json">>

export type Client = {
  /** The package, as it is installed by. */
  readonly name: string
  /** Finds the ticket office from any 402, and is never sent there. */
  readonly buysTokens?: true
  /** Ready to call one server, with all that the account has to spend. */
  open(account: PrivateKeyAccount, origin: string): Call
}
