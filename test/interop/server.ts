/** A server of the matrix: what it is called, and how its content is reached. */
import type { LocalChain } from "../support/chain/local-chain.ts"
import type { Call } from "./client.ts"

export type Server = {
  readonly name: string
  /** Sells tokens and nothing else: for clients that must be sent there, and not for those that find it by themselves. */
  readonly sellsTokens?: true
  /** Starts it on a chain that passes for Base Sepolia, where all clients know USDC. */
  open(chain: LocalChain): Promise<RunningServer>
}

export type RunningServer = {
  readonly origin: string
  /** Asks for the content so many times; resolves with how often it came. */
  visit(call: Call, times: number): Promise<number>
  /** How many payments it has taken: the matrix waits until so many are on chain. */
  taken(): number
  close(): Promise<void>
}
