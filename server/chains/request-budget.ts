/** Limits the requests per second to the nodes of a network: providers bill them, and refuse more (DOS-02). */
import { RateLimiterMemory, RateLimiterQueue } from "rate-limiter-flexible"

export type RequestBudget = {
  /** Resolves when one more request may be made; first come, first served. */
  spend(): Promise<void>
  /** Whether the rest of this second is reserved for settlement: accepted payments come before new sales. */
  isTight(): Promise<boolean>
}

/** The share of each second for settlement alone. */
const reservedShare = 0.2

export function createRequestBudget(requestsPerSecond: number): RequestBudget {
  const limiter = new RateLimiterMemory({ points: requestsPerSecond, duration: 1 })
  const queue = new RateLimiterQueue(limiter)
  return {
    async spend() {
      await queue.removeTokens(1)
    },
    isTight: async () => (await queue.getTokensRemaining()) < requestsPerSecond * reservedShare,
  }
}
