/** Defines the services a use case receives from its process: clock, randomness, log and rate limits. */

/** Seconds since the epoch. */
export type Now = () => number
/** That many random bytes. */
export type Random = (bytes: number) => Uint8Array

export type Logger = {
  debug(fields: Record<string, unknown>, message: string): void
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** The program of a worker thread is not beside that of the service, as bundlers leave it out. */
export class ThreadMissing extends Error {
  constructor(name: string) {
    super(`found no ${name}.js beside the program, wanted it there: a bundler has to copy it`)
    this.name = "ThreadMissing"
  }
}

/** Too much work is waiting in this process. Nothing was done. */
export class Overloaded extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(`no room for more ${what}`, options)
    this.name = "Overloaded"
  }
}

/** Limits the requests of a key. Both verbs throw the refusal `rate_limited`. */
export type Rate = {
  /** Counts one more request of the key. */
  take(key: string): Promise<void>
  /** Checks without counting. */
  check(key: string): Promise<void>
}
