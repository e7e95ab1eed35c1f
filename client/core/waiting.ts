/** Waits until the caller aborts; the work itself goes on. */
export function waitFor<T>(
  work: Promise<T> | (() => Promise<T>),
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted()
  const promise = typeof work === "function" ? work() : work
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener("abort", onAbort, { once: true })
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort))
  })
}
