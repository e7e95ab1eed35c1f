/** Checks rules one after the other, and reports the outcome of each. */

import { Deviation, NotRun } from "./outcomes.ts"
import type { Rule } from "./rule.ts"

export type Finding = {
  readonly id: string
  readonly clause: string
  readonly promise: string
  /** `not run`: the access that `why` names is missing; this is no pass. */
  readonly outcome: "passed" | "failed" | "not run"
  readonly why?: string
}

export async function checkRules<Place>(
  rules: readonly Rule<Place>[],
  target: Place,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const { check, ...rule } of rules) findings.push({ ...rule, ...(await outcomeOf(check(target))) })
  return findings
}

async function outcomeOf(checking: Promise<void>): Promise<Pick<Finding, "outcome" | "why">> {
  try {
    await checking
    return { outcome: "passed" }
  } catch (error) {
    if (error instanceof NotRun) return { outcome: "not run", why: error.message }
    if (error instanceof Deviation) return { outcome: "failed", why: error.message }
    // A check that fails on an unexpected answer counts as a broken rule.
    return {
      outcome: "failed",
      why: `the check failed: ${error instanceof Error ? error.message : error}`,
    }
  }
}

export type Table = { readonly title: string; readonly findings: readonly Finding[] }

export const isGood = ({ findings }: Table): boolean => findings.every(({ outcome }) => outcome !== "failed")

/** One line for each rule, and the sum. */
export function render({ title, findings }: Table): string {
  const width = Math.max(...findings.map(({ promise }) => promise.length))
  const lines = findings.map(({ id, clause, promise, outcome, why }) => {
    const reason = why === undefined ? "" : `\n          ${why}`
    return `${outcome.padEnd(8)} ${id.padEnd(9)} ${promise.padEnd(width)}  ${clause}${reason}`
  })
  return [title, ...lines, sumOf(findings)].join("\n")
}

function sumOf(findings: readonly Finding[]): string {
  const count = (kind: Finding["outcome"]) => findings.filter(({ outcome }) => outcome === kind).length
  const [passed, notRun] = [count("passed"), count("not run")]
  return `${passed}/${findings.length - notRun} passed${notRun > 0 ? `, ${notRun} of ${findings.length} not run` : ""}`
}
