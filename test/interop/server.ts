/** A server of the matrix: its name, and a function that requests its content. */
import type { LocalChain } from "../support/chain/local-chain.ts"
import type { Call } from "./client.ts"

export type Server = {
  readonly name: string
  /** True if the server sells tokens only; clients that find the token endpoint themselves skip it. */
  readonly sellsTokens?: true
  /** Starts it on a local chain with the id of Base Sepolia, whose USDC every client knows. */
  open(chain: LocalChain): Promise<RunningServer>
}

export type RunningServer = {
  readonly origin: string
  /** Requests the content this many times; resolves with the number of answers with content. */
  visit(call: Call, times: number): Promise<number>
  /** Number of payments that the server accepted: the matrix waits until the chain has as many. */
  taken(): number
  close(): Promise<void>
}
