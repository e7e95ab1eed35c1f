/** Spreads signature checks over turns of the event loop, so that a flood of payments delays no other request by much. */
import type { Recover } from "../../shared/values/evm.ts"
import { Overloaded } from "../ports/runtime.ts"

/** A check takes a quarter of a millisecond. */
const checksPerTurn = 4
/** Checks that may wait: an honest payer behind all of them waits for a tenth of a second. */
const mostWaiting = 256

/** The same verdicts, later; throws {@link Overloaded} while too many checks wait. */
export function createSignatureQueue(recover: Recover): Recover {
  const waiting: (() => void)[] = []

  function serveTurn(): void {
    for (const start of waiting.splice(0, checksPerTurn)) start()
    if (waiting.length > 0) setImmediate(serveTurn)
  }

  return async (digest, signature) => {
    if (waiting.length >= mostWaiting) throw new Overloaded("signature checks")
    await new Promise<void>((start) => {
      if (waiting.push(start) === 1) setImmediate(serveTurn)
    })
    return recover(digest, signature)
  }
}
