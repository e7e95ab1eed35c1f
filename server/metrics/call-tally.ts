/** Counts the calls of gated routes, and the grants that are used for the first time. */
import type { Challenges } from "../gate/challenges.ts"
import type { CallTally } from "../gate/handle-gate.ts"
import type { Metrics } from "../ports/metrics.ts"

/** Grants remembered as used, 10 MB at most; the oldest is forgotten first. */
const mostGrants = 100_000

export function createCallTally(metrics: Metrics): CallTally {
  const callsThat = (outcome: string) => metrics.counter("ticket402_calls_total", { outcome })
  const passed = callsThat("passed")
  const paymentRequired = callsThat("payment_required")
  const refused = callsThat("refused")
  const failed = callsThat("failed")
  const answered = callsThat("answered")
  const firstUses = metrics.counter("ticket402_grants_used_total", {})
  const used = new Set<string>()

  function noteUsed(grant: string): void {
    firstUses.add()
    used.add(grant)
    const [oldest] = used.size > mostGrants ? used : []
    if (oldest !== undefined) used.delete(oldest)
  }

  return {
    passed({ grant }) {
      passed.add()
      if (!used.has(grant)) noteUsed(grant)
    },
    answered(status) {
      if (status === 402) paymentRequired.add()
      else if (status >= 500) failed.add()
      else if (status >= 400) refused.add()
      else answered.add()
    },
  }
}

/** The same challenges. Each one is the refusal of a call. */
export const observedChallenges =
  (challenges: Challenges, metrics: Metrics): Challenges =>
  (reason, route) => {
    const answer = challenges(reason, route)
    const labels = { route: route.pattern, status: String(answer.status), reason }
    metrics.counter("ticket402_gate_refusals_total", labels).add()
    return answer
  }
