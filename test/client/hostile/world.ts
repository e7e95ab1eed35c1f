/** A hostile seller, a recording origin beside it, and a buyer whose every signature is written down. */
import { inspect } from "node:util"
import type { privateKeyToAccount } from "viem/accounts"
import { type Client, type ClientOptions, createClient, Ticket402Error } from "../../../client/index.ts"
import type { SignedTransfer } from "../../../shared/schemes/scheme.ts"
import { startedAt } from "../../support/client-setup.ts"
import { createFakeOrigin, type FakeOrigin, type Recorded } from "../../support/fake-origin.ts"

export type World = {
  readonly clock: { now: number }
  readonly seller: FakeOrigin
  /** Somebody else's server: what gets there was given away. */
  readonly foreign: FakeOrigin
  readonly client: Client
  readonly payer: string
  /** Everything the account has signed. */
  readonly signed: Signed[]
}

export type Signed = SignedTransfer & { readonly chainId: number }

export type Scenario = {
  readonly name: string
  readonly arrange?: (world: World) => void
  readonly options?: (world: Pick<World, "seller" | "foreign">) => Partial<ClientOptions>
  /** Default: one call of the seller's film. */
  readonly act?: (world: World) => Promise<unknown>
  /** The code of the typed error the last call ends with, or the status of its answer. */
  readonly ends: string | number
  /** Atomic units that a buyer in his senses would have signed away; nothing by default. */
  readonly fair?: bigint
}

export type Report = {
  readonly end: string | number
  readonly signed: readonly Signed[]
  readonly overspent: bigint
  /** Secrets that got to the foreign origin, or into what an agent reads. */
  readonly leaks: readonly string[]
}

/** Real time: who is still waiting then has been caught. */
const endsWithinMs = 10_000
/** For scenarios of servers that do not come to an end: how long an exchange may take there. */
export const impatient = (): Partial<ClientOptions> => ({ timeoutMs: 100 })
const credentials = ["authorization", "cookie", "payment-signature", "x-payment", "dpop"]
const secretive = (name: string): boolean => credentials.includes(name) || name.startsWith("ticket402-")

export const film = (world: Pick<World, "seller">): string => `${world.seller.url}/movies/7`
export const watch = (world: World): Promise<Response> => world.client.fetch(film(world))

/** `account` signs for real, so that whatever it signed can be taken to the chain afterwards. */
export async function play(
  scenario: Scenario,
  account: ReturnType<typeof privateKeyToAccount>,
  key: string,
): Promise<Report> {
  const clock = { now: startedAt }
  const [seller, foreign] = await Promise.all([createFakeOrigin(clock), createFakeOrigin(clock)])
  const signed: Signed[] = []
  const drawn: string[] = []
  const said: unknown[] = []
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
      onEvent: (event) => void said.push(event),
      ...scenario.options?.({ seller, foreign }),
    })
    const world = { clock, seller, foreign, client, payer: account.address, signed }
    scenario.arrange?.(world)
    const end = await endOf((scenario.act ?? watch)(world), said)
    const tokens = seller.grants.flatMap((grant) => [...grant.tokens.keys()])
    const secrets = [key, ...drawn, ...tokens, ...signed.map(({ signature }) => signature)]
    const spent = signed.reduce((sum, { value }) => sum + BigInt(value), 0n)
    return {
      end,
      signed,
      overspent: spent - (scenario.fair ?? 0n),
      leaks: [...foreign.requests.flatMap((request) => given(request, secrets)), ...told(said, secrets)],
    }
  } finally {
    await Promise.all([seller.close(), foreign.close()])
  }
}

async function endOf(call: Promise<unknown>, said: unknown[]): Promise<string | number> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve("still waiting"), endsWithinMs)
  })
  const end = call.then(
    (value) => (value instanceof Response ? value.status : String(value)),
    (error: unknown) => {
      said.push(error)
      return error instanceof Ticket402Error ? error.code : `untyped ${(error as Error).name}`
    },
  )
  try {
    return await Promise.race([end, late])
  } finally {
    clearTimeout(timer)
  }
}

function given(request: Recorded, secrets: readonly string[]): string[] {
  const headers = Object.keys(request.headers).filter(secretive)
  const text = JSON.stringify(request)
  return [...headers, ...secrets.filter((secret) => text.includes(secret.replace(/^0x/, "")))]
}

/** What errors and events say is read by an agent, and by whoever reads its log. */
function told(said: readonly unknown[], secrets: readonly string[]): string[] {
  const text = inspect(said, { depth: 8 })
  return secrets.filter((secret) => text.includes(secret.replace(/^0x/, "")))
}
