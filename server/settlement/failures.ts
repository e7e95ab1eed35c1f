/** Logs an alarm when a large share of settlements fails. It decides nothing else. */
import type { Logger } from "../ports/runtime.ts"

/** The alarm looks at so many of the newest outcomes, and goes off when this share has failed. */
const watched = 100
const alarmingShare = 0.1

/** Records the result of a payment. Logs once when the share becomes alarming, and once when it ends. */
export function createFailureAlarm(network: string, log: Logger): (key: string, failed: boolean) => void {
  // By payment, because a failed payment is judged again and fails again.
  const outcomes = new Map<string, boolean>()
  let alarmed = false
  return (key, failed) => {
    outcomes.delete(key)
    outcomes.set(key, failed)
    for (const oldest of outcomes.keys()) {
      if (outcomes.size <= watched) break
      outcomes.delete(oldest)
    }
    const failures = [...outcomes.values()].filter(Boolean).length
    const isAlarming = failures >= watched * alarmingShare
    if (isAlarming === alarmed) return
    alarmed = isAlarming
    const fields = { network, failures, of: outcomes.size }
    if (isAlarming) log.error(fields, "many settlements fail")
    else log.info(fields, "few settlements fail again")
  }
}
