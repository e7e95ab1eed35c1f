/** The surroundings that every part of a service is composed in: clock, chance, log and lifecycle. */
import { randomBytes } from "node:crypto"
import type { Logger, Now, Random } from "../ports/runtime.ts"
import type { Lifecycle } from "./lifecycle.ts"

export type Runtime = {
  readonly now: Now
  readonly random: Random
  readonly log: Logger
  readonly own: Lifecycle["own"]
}

export const createRuntime = (log: Logger, now: Now | undefined, { own }: Lifecycle): Runtime => ({
  now: now ?? (() => Math.floor(Date.now() / 1000)),
  random: randomBytes,
  log,
  own,
})
