/** Looks for rules one after the other, and says of each what came of it. */
import type { Rule } from "./rule.ts"
import { Deviation, Unseen } from "./want.ts"

export type Finding = {
  readonly id: string
  readonly clause: string
  readonly promise: string
  /** `not run`: for want of what `why` names; that is no pass. */
  readonly outcome: "passed" | "failed" | "not run"
  readonly why?: string
}

export async function look<Place>(rules: readonly Rule<Place>[], place: Place): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const { check, ...rule } of rules) findings.push({ ...rule, ...(await outcomeOf(check(place))) })
  return findings
}

async function outcomeOf(checking: Promise<void>): Promise<Pick<Finding, "outcome" | "why">> {
  try {
    await checking
    return { outcome: "passed" }
  } catch (error) {
    if (error instanceof Unseen) return { outcome: "not run", why: error.message }
    if (error instanceof Deviation) return { outcome: "failed", why: error.message }
    // A rule that stumbles over an answer has not been kept.
    return {
      outcome: "failed",
      why: `could not be looked at: ${error instanceof Error ? error.message : error}`,
    }
  }
}

export type Table = { readonly title: string; readonly findings: readonly Finding[] }

export const isGood = ({ findings }: Table): boolean => findings.every(({ outcome }) => outcome !== "failed")

/** One line a rule, and the sum. */
export function render({ title, findings }: Table): string {
  const width = Math.max(...findings.map(({ promise }) => promise.length))
  const lines = findings.map(({ id, clause, promise, outcome, why }) => {
    const reason = why === undefined ? "" : `\n          ${why}`
    return `${outcome.padEnd(8)} ${id.padEnd(9)} ${promise.padEnd(width)}  ${clause}${reason}`
  })
  return [title, ...lines, sumOf(findings)].join("\n")
}

function sumOf(findings: readonly Finding[]): string {
  const count = (wanted: Finding["outcome"]) => findings.filter(({ outcome }) => outcome === wanted).length
  const [passed, idle] = [count("passed"), count("not run")]
  return `${passed}/${findings.length - idle} passed${idle > 0 ? `, ${idle} of ${findings.length} not run` : ""}`
}
