/** A signal that aborts after a time, also on hosts without `AbortSignal.timeout`. */
export function timeoutSignal(milliseconds: number): AbortSignal {
  if (typeof AbortSignal.timeout === "function") return AbortSignal.timeout(milliseconds)
  const control = new AbortController()
  const late = (): void => control.abort(new DOMException("The operation timed out.", "TimeoutError"))
  const timer = setTimeout(late, milliseconds)
  // In Node it keeps no process alive.
  if (typeof timer === "object") timer.unref()
  return control.signal
}
