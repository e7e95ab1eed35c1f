/** Runs the scenario as a child process whose host has the least of fetch, as React Native and jsdom have. */
import { type HostOrder, runScenario } from "./host-scenario.ts"

const refusedMembers = ["cache", "credentials", "referrerPolicy", "keepalive", "signal"] as const
const whole = { Request: globalThis.Request, fetch: globalThis.fetch }

function requireCommon(init: RequestInit | undefined): void {
  for (const member of refusedMembers)
    if (init && member in init) throw new TypeError(`The member ${member} is not implemented.`)
  if (init?.redirect === "error") throw new TypeError("Invalid redirect value.")
}

/** Has no stream and no getter of what it refuses. */
class LeastRequest extends whole.Request {
  constructor(input: string | URL | Request, init?: RequestInit) {
    requireCommon(init)
    super(input, init)
    for (const member of [...refusedMembers, "body"])
      Object.defineProperty(this, member, { value: undefined })
  }
}

/** The signal of a library, which no fetch of the host takes. */
class ForeignController {
  readonly signal = Object.assign(new EventTarget(), { aborted: false, throwIfAborted() {} })
  abort(): void {
    this.signal.aborted = true
    this.signal.dispatchEvent(new Event("abort"))
  }
}

Object.assign(globalThis, {
  Request: LeastRequest,
  AbortController: ForeignController,
  AbortSignal: class {},
  async fetch(input: string | URL, init?: RequestInit) {
    requireCommon(init)
    const answer = await whole.fetch(input, init)
    Object.defineProperty(answer, "body", { value: undefined })
    return answer
  },
})

const order: HostOrder = JSON.parse(process.argv[2] ?? "")
console.log(JSON.stringify(await runScenario(order)))
process.exit()
