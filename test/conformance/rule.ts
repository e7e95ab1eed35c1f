/** The type of a conformance rule. */
import type { Subject } from "./subject.ts"

/** A requirement of a standard, with its check. */
export type Rule<Place = Subject> = {
  /** For example `N-6749-1`. */
  readonly id: string
  /** The section of the standard. */
  readonly clause: string
  readonly promise: string
  /** Throws Deviation if the rule is broken, and NotRun if it cannot be checked. */
  readonly check: (target: Place) => Promise<void>
}
