/** A local chain whose blocks and clock run ten times as fast as real time. */
import { setTimeout as delay } from "node:timers/promises"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"

export type FastChain = {
  readonly chain: LocalChain
  /** The chain's clock in seconds; every service on this chain uses it. */
  now(): number
  /** Stops and starts the mining of blocks. */
  readonly mining: { hold(): void; go(): void }
  /** Replaces the newest blocks by as many others, which hold these transactions only. */
  reorg(blocks: number, transactions?: readonly unknown[]): Promise<void>
  /** Moves the clock, and with it the next block, ahead by this many seconds. */
  leap(seconds: number): void
  close(): Promise<void>
}

/** Milliseconds of real time for a block, which is a second of the chain's clock. */
export const blockMs = 100

export type FastChainOptions = {
  /** Seconds of the chain's clock in one second of real time; default 10. */
  readonly speed?: number
}

export async function openFastChain({ speed = 1000 / blockMs }: FastChainOptions = {}): Promise<FastChain> {
  const chain = await startLocalChain({ blockTimeSeconds: 0 })
  await chain.request("evm_setAutomine", [false])
  const startedAtSeconds = Date.now() / 1000
  const startedAtMs = performance.now()
  let jumped = 0
  let isMining = true
  let mined: Promise<unknown> = Promise.resolve()
  let reorganizing: Promise<unknown> = Promise.resolve()
  let isClosed = false
  const now = () => Math.floor(startedAtSeconds + jumped + ((performance.now() - startedAtMs) / 1000) * speed)

  async function mineBlocks(): Promise<void> {
    let last = 0
    while (!isClosed) {
      const startedAt = performance.now()
      // A block mined during a reorg would leave a gap in the numbers.
      await reorganizing
      if (isMining) {
        last = Math.max(last, now())
        mined = chain.request("evm_mine", [{ timestamp: last }])
        await mined
      }
      await delay(Math.max(1, blockMs - (performance.now() - startedAt)))
    }
  }

  const miningLoop = mineBlocks()
  return {
    chain,
    now,
    mining: {
      hold: () => {
        isMining = false
      },
      go: () => {
        isMining = true
      },
    },
    async reorg(blocks, transactions = []) {
      reorganizing = reorganizing
        .then(() => mined)
        .then(() => chain.request("anvil_reorg", [blocks, transactions]))
      await reorganizing
    },
    leap: (seconds) => {
      jumped += seconds
    },
    async close() {
      isClosed = true
      await miningLoop
      await chain.stop()
    },
  }
}
