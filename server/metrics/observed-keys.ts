/** Measures the signatures of the service. */
import type { Keys } from "../ports/keys.ts"
import type { Metrics } from "../ports/metrics.ts"
import { measured } from "./observed-store.ts"

/** The same keys. */
export function observedKeys(keys: Keys, metrics: Metrics): Keys {
  const timed = <A extends readonly unknown[]>(kind: string, sign: (...input: A) => Promise<string>) =>
    measured(
      sign,
      metrics.histogram("ticket402_signing_seconds", { kind }),
      metrics.counter("ticket402_signing_errors_total", { kind }),
    )
  return {
    ...keys,
    sign: timed("token", keys.sign),
    signReceipt: timed("receipt", keys.signReceipt),
    signRevocations: timed("revocations", keys.signRevocations),
  }
}
