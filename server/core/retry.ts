/** When to try again: exponential backoff with full jitter and a cap. */

/** Seconds until the next try; `chance` is a number in [0, 1). At least one second, at most `capSeconds`. */
export function retryDelay(attempts: number, chance: number, capSeconds = 60): number {
  const ceiling = Math.min(capSeconds, 2 ** Math.min(attempts, 16))
  return 1 + Math.floor(chance * ceiling)
}
