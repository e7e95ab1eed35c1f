/** What a rule is. */
import type { Subject } from "./subject.ts"

/** A statement of the standards that can be seen from outside. */
export type Rule<Place = Subject> = {
  /** Such as `N-6749-1`. */
  readonly id: string
  /** Where the standard says so. */
  readonly clause: string
  readonly promise: string
  /** Throws Deviation when it is not kept, and Unseen when that cannot be told. */
  readonly check: (place: Place) => Promise<void>
}
