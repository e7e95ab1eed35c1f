/** Single flight: callers that want the same thing at the same time share one piece of work and its answer. */

export type SingleFlight<K, T> = {
  has(key: K): boolean
  /** Joins the work under way for the key, or starts it. A failure reaches only callers that still wait. */
  share(key: K, work: () => Promise<T>): Promise<T>
}

export function createSingleFlight<K, T>(): SingleFlight<K, T> {
  const underway = new Map<K, Promise<T>>()
  return {
    has: (key) => underway.has(key),
    share(key, work) {
      const known = underway.get(key)
      if (known !== undefined) return known
      const flight = work().finally(() => underway.delete(key))
      // Without this, a failure that no caller waits for would end the process.
      flight.catch(() => {})
      underway.set(key, flight)
      return flight
    },
  }
}
