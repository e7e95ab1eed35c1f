/** Starts the resources of a service in order, and stops them in reverse: at its end, or when the start fails half-way. */

export type Hooks = {
  readonly start?: () => unknown
  /** Releases the resource, whether or not it was started. */
  readonly stop?: () => unknown
}

export type Lifecycle = {
  /** Takes responsibility for a resource that may hold a thread, a timer, a socket or a file from now on. */
  own<T>(resource: T, hooks: Hooks): T
  /** Throws the error of the first resource that does not start, or {@link Closed}. It stops nothing: `close` does. */
  start(): Promise<void>
  /**
   * Idempotent, and possible while `start` is under way, which then ends after the resource it is at. A resource that fails
   * to stop keeps none of the others open. Throws the first of such errors at the end.
   */
  close(): Promise<void>
}

/** The service was closed while it started. */
export class Closed extends Error {
  constructor() {
    super("the service was closed while it started")
    this.name = "Closed"
  }
}

export function createLifecycle(): Lifecycle {
  const owned: Hooks[] = []
  let starting: Promise<void> | undefined
  let closing: Promise<void> | undefined
  const requireOpen = () => {
    if (closing !== undefined) throw new Closed()
  }

  async function startAll(): Promise<void> {
    for (const { start } of owned) {
      requireOpen()
      await start?.()
    }
    requireOpen()
  }

  async function stopAll(): Promise<void> {
    await starting?.catch(() => undefined)
    const errors: unknown[] = []
    for (const { stop } of owned.toReversed()) {
      try {
        await stop?.()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }

  return {
    own(resource, hooks) {
      owned.push(hooks)
      return resource
    },
    start() {
      starting ??= startAll()
      return starting
    },
    close() {
      closing ??= stopAll()
      return closing
    },
  }
}
