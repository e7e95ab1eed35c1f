/** Plays scenarios: a hostile seller, a foreign origin, and a buyer whose signatures are recorded. */
import { inspect } from "node:util"
import type { privateKeyToAccount } from "viem/accounts"
import { type Client, type ClientOptions, createClient, Ticket402Error } from "../../../client/index.ts"
import type { SignedTransfer } from "../../../shared/schemes/scheme.ts"
import { startedAt } from "../../support/client-setup.ts"
import { createFakeOrigin, type FakeOrigin, type Recorded } from "../../support/fake-origin.ts"

export type Setting = {
  readonly clock: { now: number }
  readonly seller: FakeOrigin
  /** Another party's server: any secret that arrives here has leaked. */
  readonly foreign: FakeOrigin
  readonly client: Client
  readonly payer: string
  /** Every signature of the account. */
  readonly signed: Signed[]
}

export type Signed = SignedTransfer & { readonly chainId: number }

export type Scenario = {
  readonly name: string
  readonly arrange?: (setting: Setting) => void
  readonly options?: (setting: Pick<Setting, "seller" | "foreign">) => Partial<ClientOptions>
  /** Default: one call of the seller's route. */
  readonly act?: (setting: Setting) => Promise<unknown>
  /** The code of the last call's typed error, or the status of its answer. */
  readonly ends: string | number
  /** Atomic units that a careful buyer would have signed away; zero by default. */
  readonly fair?: bigint
}

export type Report = {
  readonly end: string | number
  readonly signed: readonly Signed[]
  readonly overspent: bigint
  /** Secrets that reached the foreign origin or an agent's output. */
  readonly leaks: readonly string[]
}

/** Real time: a call that takes longer counts as stuck. */
const endsWithinMs = 10_000
/** Options for servers that never finish: a short time limit per request. */
export const impatient = (): Partial<ClientOptions> => ({ timeoutMs: 100 })
const credentials = ["authorization", "cookie", "payment-signature", "x-payment", "dpop"]
const isCredential = (name: string): boolean => credentials.includes(name) || name.startsWith("ticket402-")

export const film = (setting: Pick<Setting, "seller">): string => `${setting.seller.url}/movies/7`
export const watch = (setting: Setting): Promise<Response> => setting.client.fetch(film(setting))

/** `account` signs for real, so that its signatures can be submitted on chain afterwards. */
export async function play(
  scenario: Scenario,
  account: ReturnType<typeof privateKeyToAccount>,
  key: string,
): Promise<Report> {
  const clock = { now: startedAt }
  const [seller, foreign] = await Promise.all([createFakeOrigin(clock), createFakeOrigin(clock)])
  const signed: Signed[] = []
  const drawn: string[] = []
  const reported: unknown[] = []
  try {
    const client = createClient({
      account: {
        address: account.address,
        async signTypedData(data) {
          const signature = await account.signTypedData(data as never)
          const { from, to, ...rest } = data.message as Record<string, never>
          signed.push({ payer: from, payTo: to, signature, ...rest, ...data.domain } as never)
          return signature
        },
      },
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: ["eip155:11155111"],
      now: () => clock.now,
      delay: async (seconds) => {
        clock.now += seconds
      },
      random: (length) => {
        const bytes = crypto.getRandomValues(new Uint8Array(length))
        if (length === 32) drawn.push(Buffer.from(bytes).toString("hex"))
        return bytes
      },
      timeoutMs: 5_000,
      resendSeconds: 2,
      onEvent: (event) => void reported.push(event),
      ...scenario.options?.({ seller, foreign }),
    })
    const setting = { clock, seller, foreign, client, payer: account.address, signed }
    scenario.arrange?.(setting)
    const end = await endOf((scenario.act ?? watch)(setting), reported)
    const tokens = seller.grants.flatMap((grant) => [...grant.tokens.keys()])
    const secrets = [key, ...drawn, ...tokens, ...signed.map(({ signature }) => signature)]
    const spent = signed.reduce((sum, { value }) => sum + BigInt(value), 0n)
    return {
      end,
      signed,
      overspent: spent - (scenario.fair ?? 0n),
      leaks: [
        ...foreign.requests.flatMap((request) => leaksTo(request, secrets)),
        ...leaksIn(reported, secrets),
      ],
    }
  } finally {
    await Promise.all([seller.close(), foreign.close()])
  }
}

async function endOf(call: Promise<unknown>, reported: unknown[]): Promise<string | number> {
  let timer: NodeJS.Timeout | undefined
  const timedOut = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve("still waiting"), endsWithinMs)
  })
  const end = call.then(
    (value) => (value instanceof Response ? value.status : String(value)),
    (error: unknown) => {
      reported.push(error)
      return error instanceof Ticket402Error ? error.code : `untyped ${(error as Error).name}`
    },
  )
  try {
    return await Promise.race([end, timedOut])
  } finally {
    clearTimeout(timer)
  }
}

function leaksTo(request: Recorded, secrets: readonly string[]): string[] {
  const headers = Object.keys(request.headers).filter(isCredential)
  const text = JSON.stringify(request)
  return [...headers, ...secrets.filter((secret) => text.includes(secret.replace(/^0x/, "")))]
}

/** Errors and events are read by agents and by readers of their logs. */
function leaksIn(reported: readonly unknown[], secrets: readonly string[]): string[] {
  const text = inspect(reported, { depth: 8 })
  return secrets.filter((secret) => text.includes(secret.replace(/^0x/, "")))
}
