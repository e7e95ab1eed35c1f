/**
 * The common setup of client tests: sellers that are closed afterwards, and a clock that only waiting moves.
 */
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { afterEach } from "vitest"
import {
  type Client,
  type ClientEvent,
  type ClientOptions,
  createClient,
  Ticket402Error,
} from "../../client/index.ts"
import { createFakeOrigin, type FakeOrigin } from "./fake-origin.ts"

export const startedAt = 1_800_000_000

const open: FakeOrigin[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((origin) => origin.close()))
})

export async function setup(options: Partial<ClientOptions> = {}) {
  const clock = { now: startedAt }
  const seller = await origin(clock)
  return { clock, seller, ...buyer(clock, options) }
}

export async function origin(clock: { now: number }): Promise<FakeOrigin> {
  const created = await createFakeOrigin(clock)
  open.push(created)
  return created
}

export function buyer(clock: { now: number }, changes: Partial<ClientOptions> = {}) {
  const { options, ...customer } = terms(clock, changes)
  const client: Client = createClient(options)
  return { client, ...customer }
}

/** The options of a buyer's client. */
export function terms(clock: { now: number }, changes: Partial<ClientOptions> = {}) {
  const key = generatePrivateKey()
  const account = privateKeyToAccount(key)
  const events: ClientEvent[] = []
  const delays: number[] = []
  const options: ClientOptions = {
    account,
    budget: { perPurchase: "0.05", perDay: "1.00" },
    networks: ["eip155:11155111"],
    now: () => clock.now,
    // Waiting moves the clock, so that no test sleeps.
    delay: async (seconds) => {
      delays.push(seconds)
      clock.now += seconds
    },
    onEvent: (event) => events.push(event),
    ...changes,
  }
  return { options, account, key, events, delays }
}

/** The typed error with which a call must end. */
export async function failure(call: Promise<unknown>): Promise<Ticket402Error> {
  const error = await call.then(
    (value) => new Error(`expected a refusal, found ${value instanceof Response ? value.status : value}`),
    (reason: unknown) => reason,
  )
  if (error instanceof Ticket402Error) return error
  throw error
}
