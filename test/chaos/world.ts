/** A chain whose blocks come, and whose clock runs, ten times as fast as ours: a minute of patience takes six seconds. */
import { setTimeout as delay } from "node:timers/promises"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"

export type World = {
  readonly chain: LocalChain
  /** Seconds; of the chain, and of every service in this world. */
  now(): number
  /** Stops and starts the blocks. */
  readonly mining: { hold(): void; go(): void }
  /** Replaces the newest blocks by as many others, which hold these transactions only. */
  reorg(blocks: number, transactions?: readonly unknown[]): Promise<void>
  /** Makes the chain's next block, and everybody's clock with it, that much later. */
  leap(seconds: number): void
  close(): Promise<void>
}

/** Of ours; a second of the world's. */
export const blockMs = 100

export type WorldOptions = {
  /** The world's seconds in one of ours; ten when not given. */
  readonly speed?: number
}

export async function openWorld({ speed = 1000 / blockMs }: WorldOptions = {}): Promise<World> {
  const chain = await startLocalChain({ blockTimeSeconds: 0 })
  await chain.request("evm_setAutomine", [false])
  const begunAt = Date.now() / 1000
  const begun = performance.now()
  let leapt = 0
  let isMining = true
  let mined: Promise<unknown> = Promise.resolve()
  let reorganizing: Promise<unknown> = Promise.resolve()
  let isOver = false
  const now = () => Math.floor(begunAt + leapt + ((performance.now() - begun) / 1000) * speed)

  async function beat(): Promise<void> {
    let last = 0
    while (!isOver) {
      const startedAt = performance.now()
      // A block mined meanwhile would leave a hole among the numbers.
      await reorganizing
      if (isMining) {
        last = Math.max(last, now())
        mined = chain.request("evm_mine", [{ timestamp: last }])
        await mined
      }
      await delay(Math.max(1, blockMs - (performance.now() - startedAt)))
    }
  }

  const beating = beat()
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
      leapt += seconds
    },
    async close() {
      isOver = true
      await beating
      await chain.stop()
    },
  }
}
